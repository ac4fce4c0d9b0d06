"""`make coverage`: the fraction of lines that the tests ran, by target. Usage: coverage.py CODECOV.json"""

import collections
import json
import pathlib
import sys

report = json.loads(pathlib.Path(sys.argv[1]).read_text())
root = pathlib.Path(__file__).resolve().parent.parent / "Sources"
lines = collections.defaultdict(lambda: [0, 0])
for file in report["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    if not path.is_relative_to(root) or path.name.endswith(".pb.swift"):
        continue
    summary = file["summary"]["lines"]
    for key in (path.relative_to(root).parts[0], "all"):
        lines[key][0] += summary["covered"]
        lines[key][1] += summary["count"]
for target, (covered, count) in sorted(lines.items(), key=lambda item: (item[0] == "all", item[0])):
    print(f"{target:24} {100 * covered / max(count, 1):5.1f}%  {covered} of {count} lines")
