"""`make bench-peers`: Attune and PyTorch in turn on the same inputs' sizes, A B A B ..., and the ratio of
the medians. Usage: compare.py BENCHMARKS_PROGRAM PYTHON [--runs N] [--threads N] [--json FILE]
[--precision P ...] [NAME ...]

A case is compared in float32 with PyTorch in float32, and in each reduced precision that the processor has
instructions for with PyTorch in bfloat16."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

CONVOLUTIONS = ["8x32x32-64", "8x16x16-128", "1x64x64-320", "1x512x512-128"]
MICRO_BATCHES = [250, 500, 1000, 2500]

# Attune's case, what it is compared with (the best variant counts), the ratio to reach.
COMPARISONS = (
    [("dppo-update-50000", "eager, whole minibatch", ["eager"], 2.5),
     ("dppo-update-50000", "torch.compile, best micro-batch",
      [f"compiled-{n}" for n in MICRO_BATCHES] + ["compiled"], 1.3),
     ("policy-40x20", "eager", ["eager"], 4.0),
     ("policy-40x20", "torch.compile", ["compiled"], 3.0)]
    + [(f"conv3x3-{pass_}{size}", "better of NCHW and channels-last", ["nchw", "channels-last"], 1.2)
       for pass_ in ("", "train-") for size in CONVOLUTIONS]
    + [(f"attention-{size}", "scaled_dot_product_attention", ["sdpa"], 1.5)
       for size in ("1x8x4096x40", "16x4x256x32")]
    + [("groupnorm-silu-8x64x32x32", "better of NCHW and channels-last",
        ["nchw", "channels-last"], 1.5)]
    + [(f"attention-train-{size}", "scaled_dot_product_attention", ["sdpa"], None)
       for size in ("1x8x4096x40", "16x4x256x32")]
    + [("groupnorm-silu-train-8x64x32x32", "NCHW", ["nchw"], None)]
    + [("environments-hopper-40x25", "Gymnasium's AsyncVectorEnv", ["async"], 4.0)]
    + [(f"environments-gymnasium-hopper{kind}", "the same Python in AsyncVectorEnv", ["async"], 1.5)
       for kind in ("-40x25", "-chunks-40x24")]
    + [("unet-sd15-1x64x64", "diffusers", ["eager"], 1.5),
       ("vae-decode-sd15-1x64x64", "diffusers", ["eager"], 2.0)]
    + [(f"clip-unet-{size}", "diffusers", ["eager"], 1.5)
       for size in ("16x8x16x16", "train-8x8x16x16")])


# The same cases against PyTorch in bfloat16: eager with weights and inputs in bfloat16 where nothing is
# trained, autocast, and autocast compiled; images also with channels last. The best variant counts.
EAGER, TRAINED = ["bfloat16", "autocast", "autocast-compiled"], ["autocast", "autocast-compiled"]
LAYOUTS = [f"{kind}-{layout}" for kind in ("bfloat16", "autocast") for layout in ("nchw", "channels-last")]
TRAINED_LAYOUTS = [kind for kind in LAYOUTS if kind.startswith("autocast")]
IMAGES = ["bfloat16", "bfloat16-channels-last", "autocast", "autocast-channels-last", "autocast-compiled",
          "autocast-compiled-channels-last"]

BFLOAT16_COMPARISONS = (
    [("dppo-update-50000", TRAINED + [f"autocast-compiled-{n}" for n in MICRO_BATCHES], 2.5),
     ("policy-40x20", EAGER, None)]
    + [(f"conv3x3-{size}", LAYOUTS, None) for size in CONVOLUTIONS]
    + [(f"conv3x3-train-{size}", TRAINED_LAYOUTS, None) for size in CONVOLUTIONS]
    + [(f"attention-{kind}{size}", ["bfloat16"], None)
       for kind in ("", "train-") for size in ("1x8x4096x40", "16x4x256x32")]
    + [("unet-sd15-1x64x64", IMAGES, 1.6), ("vae-decode-sd15-1x64x64", IMAGES, 2.0)]
    + [("clip-unet-16x8x16x16", EAGER, 2.0), ("clip-unet-train-8x8x16x16", TRAINED, 1.5)])


class Server:
    """A program that runs a named case once and answers with its seconds."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer if isinstance(answer, dict) else float(answer)

    def seconds(self, name):
        """A run's time once the other program's threads have stopped spinning and this one's threads and
        caches are back: the median of three runs after a quarter of a second of them. A host may run two
        virtual processors that wake up on one core at first, at half the speed, for a tenth of a second."""
        time.sleep(0.3)
        spent = self.run(name)
        if spent > 0.5:
            return spent
        while spent < 0.25:
            spent += self.run(name)
        return statistics.median(self.run(name) for _ in range(3))


def processor():
    """The processor's model name, as the system gives it."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def comparisons(kernels, chosen):
    """The rows of the table: each case in float32, and in what else this processor computes otherwise."""
    rows = list(COMPARISONS) if not chosen or "highest" in chosen else []
    for precision in ("high", "medium"):
        if precision in (chosen or kernels) and kernels[precision] != kernels["highest"]:
            rows += [(f"{name}@{precision}", "bfloat16", variants, target if precision == "medium" else None)
                     for name, variants, target in BFLOAT16_COMPARISONS]
        elif chosen and precision in chosen:
            print(f"No {precision}: this processor has no instructions for it.\n")
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("python")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--json", help="write the medians, for `Benchmarks compare OLD NEW`")
    parser.add_argument(
        "--precision", action="append", choices=["highest", "high", "medium"],
        help="compare in this one only; may be given again for more")
    parser.add_argument("names", nargs="*", default=[])
    arguments = parser.parse_intermixed_args()
    # Attune's bridge steps the environments of the same Python.
    os.environ.setdefault("ATTUNE_GYMNASIUM_PYTHON", arguments.python)
    attune = Server(arguments.program, "serve", "--threads", arguments.threads)
    peer_script = str(pathlib.Path(__file__).with_name("peer.py"))
    peer = Server(arguments.python, peer_script, arguments.threads)
    results = {"processor": processor(), "threads": int(arguments.threads), "milliseconds": {}, "peers": {}}
    kernels = json.loads(subprocess.check_output([arguments.program, "kernels"], text=True))
    print(f"{processor()}, {arguments.threads} threads; "
          + "; ".join(f"{precision}: {kernel}" for precision, kernel in kernels.items()) + "\n")
    print("| what | against | Attune ms | PyTorch ms | ratio | to reach |")
    print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for name, against, variants, target in comparisons(kernels, arguments.precision):
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        plain = name.split("@")[0]
        for _ in range(2):  # warm-up, compilation
            attune.seconds(name)
            for variant in variants:
                peer.seconds(f"{plain}/{variant}")
        ours, theirs = [], {variant: [] for variant in variants}
        for _ in range(arguments.runs):
            ours.append(attune.seconds(name))
            for variant in variants:
                theirs[variant].append(peer.seconds(f"{plain}/{variant}"))
        best = min(theirs, key=lambda variant: statistics.median(theirs[variant]))
        our, their = statistics.median(ours), statistics.median(theirs[best])
        results["milliseconds"][name] = our * 1e3
        results["peers"][f"{name}/{best}"] = their * 1e3
        reach = f"{target}x" if target else ""
        chosen = f" ({best})" if len(variants) > 1 else ""
        print(
            f"| {name} | {against}{chosen} | {our * 1e3:.2f} | {their * 1e3:.2f} "
            f"| {their / our:.2f}x | {reach} |", flush=True)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
