"""`make bench-dppo`: a whole DPPO iteration at the Hopper setting, and one decision of 40 environments,
Attune and the reference in turn, A B A B; ratios of the medians, parts and peak memory.
Usage: compare_iteration.py BENCHMARKS_PROGRAM PYTHON CHECKOUT [--decisions N] [--runs N] [--samples N]"""

import argparse
import pathlib
import statistics
import time

from compare import Server

PARTS = ["simulate", "sample", "logprobs", "update", "total"]
SAMPLE = "dppo-sample-40"


def median(runs, part):
    return statistics.median(run.get(part, 0) for run in runs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("python")
    parser.add_argument("checkout")
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--threads", default="2")
    arguments = parser.parse_args()
    decisions = str(arguments.decisions)
    peer = Server(
        arguments.python, str(pathlib.Path(__file__).with_name("dppo_iteration.py")),
        arguments.checkout, "--decisions", decisions, "--threads", arguments.threads)
    sampling = Server(arguments.program, "serve", "--threads", arguments.threads)
    ours, theirs = [], []
    for run in range(arguments.samples + 1):  # the first is a warm-up
        ours.append(sampling.seconds(SAMPLE))
        theirs.append(peer.seconds(SAMPLE))
    ours, theirs = (statistics.median(side[1:]) for side in (ours, theirs))
    print(f"sample 40 (ms): Attune {ours * 1e3:.2f}, reference {theirs * 1e3:.2f}, "
          f"{theirs / ours:.2f}x", flush=True)

    training = Server(
        arguments.program, "dppo-iteration", decisions, "--threads", arguments.threads)
    ours, theirs = [], []
    for run in range(arguments.runs + 1):
        for name, server, results in (("Attune", training, ours), ("reference", peer, theirs)):
            time.sleep(0.3)  # until the other's threads have stopped spinning
            results.append(server.run("dppo-iteration"))
            print("warm-up" if run == 0 else f"run {run}", name, results[-1], flush=True)
    ours, theirs = ours[1:], theirs[1:]
    print("\n| part | Attune s | reference s | ratio |\n| --- | ---: | ---: | ---: |")
    for part in PARTS:
        our, their = median(ours, part), median(theirs, part)
        ratio = f"{their / our:.2f}x" if our else ""
        print(f"| {part} | {our:.2f} | {their:.2f} | {ratio} |")
    peaks = [max(run["peakMB"] for run in side) for side in (ours, theirs)]
    print(f"| peak memory, MB | {peaks[0]:.0f} | {peaks[1]:.0f} | |")


main()
