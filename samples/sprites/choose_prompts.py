"""Chooses prompts that a model of sprites misses often, but not always: of the plain clips of each, between
5% and 70% are right in everything by all measures, the classifiers and the exact comparison.

    python3 samples/sprites/choose_prompts.py --attune .build/release/attune --model checkpoints/sprites \\
      --sprites SPRITES --look checkpoints/sprites-look-check --motion checkpoints/sprites-motion-check

Rare candidates are drawn evenly over all phrases, held-out ones with a pair that training never showed.
Nothing but N(0, I) is looked at. The classifiers are those that are not optimized.
"""

import argparse
import json
import subprocess
import tempfile


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--attune", default="attune")
    parser.add_argument("--model", required=True)
    parser.add_argument("--sprites", required=True)
    parser.add_argument("--look", required=True)
    parser.add_argument("--motion", required=True)
    parser.add_argument("--candidates", type=int, default=100, help="of each kind")
    parser.add_argument("--count", type=int, default=16, help="clips of each")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--wanted", type=int, default=10, help="prompts of each kind")
    parser.add_argument("--seed", default="1000000")
    arguments = parser.parse_args()

    def evaluate(*more):
        return subprocess.run(
            [arguments.attune, "video", "evaluate", "--model", arguments.model, "--sprites", arguments.sprites,
             "--look", arguments.look, "--motion", arguments.motion, "--seed", arguments.seed, *more],
            check=True, stdout=subprocess.PIPE, text=True).stdout

    for kind in ("rare", "held-out"):
        prompts = evaluate(f"--{kind}", "--list", "--count", str(arguments.candidates))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(prompts)
            file.flush()
            report = json.loads(evaluate(
                "--prompts", file.name, "--steps", str(arguments.steps), "--guidance", "2", "--count",
                str(arguments.count), "--json"))
        fitting = [
            prompt["prompt"] for prompt in report["prompts"]
            if all(0.05 <= prompt["estimates"].get(measure, {"mean": 0})["mean"] <= 0.7
                   for measure in ("everything", "exactEverything"))]
        print(f"# {kind}: the first {arguments.wanted} of {len(fitting)} that fit among {arguments.candidates}")
        print("\n".join(fitting[:arguments.wanted]), flush=True)


main()
