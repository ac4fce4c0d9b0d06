"""Chooses prompts that a model of paper dolls misses often, but not always: the fraction of plain images
with everything right is between 5% and 70% by both measures, the classifier and the exact comparison
of the top layers.

    python3 samples/find/choose_prompts.py --attune .build/release/attune --model checkpoints/dolls \\
      --dolls DOLLS --classifier checkpoints/dolls-classifier --candidates 400 > prompts.txt

Rare candidates are drawn evenly over the phrases of each layer, held-out ones with a pair of clothes and
second hand that training never showed. Nothing but N(0, I) is looked at.
"""

import argparse
import collections
import csv
import json
import pathlib
import random
import subprocess
import tempfile

PRESENCE = {"cloak": 0.3, "head": 0.6, "hand1": 0.85, "hand2": 0.85}
WITHOUT_ARTICLE = ("scale armour", "plate armour", "chain mail")


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


class Dolls:
    def __init__(self, folder):
        self.files = collections.defaultdict(lambda: collections.defaultdict(list))
        for row in rows(folder / "captions.tsv"):
            self.files[row["layer"]][row["phrase"]].append(row["file"])
        self.forbidden = set()
        for row in rows(folder / "forbidden.tsv"):
            pair = [(row["layer_a"], row["file_a"]), (row["layer_b"], row["file_b"])]
            self.forbidden |= {tuple(pair), tuple(reversed(pair))}
        self.held_out = [tuple(row.values()) for row in rows(folder / "heldout_pairs.tsv")]

    def prompt(self, dice, is_held_out):
        """A caption of items that may go together, held-out pairs only where they are asked for."""
        while True:
            presence = dict(PRESENCE, hand2=1) if is_held_out else PRESENCE
            layers = ["base", "body"] + [x for x, probability in presence.items() if dice.random() < probability]
            phrases = {layer: dice.choice(sorted(self.files[layer])) for layer in layers}
            if is_held_out:
                phrases["body"], phrases["hand2"] = dice.choice(self.held_out)
            elif (phrases["body"], phrases.get("hand2")) in self.held_out:
                continue
            chosen = [(layer, dice.choice(self.files[layer][phrase])) for layer, phrase in phrases.items()]
            if not any((a, b) in self.forbidden for a in chosen for b in chosen):
                return caption(phrases)


def caption(phrases):
    def named(layer):
        phrase = phrases[layer]
        if phrase.endswith(WITHOUT_ARTICLE):
            return phrase
        return ("an " if phrase[0] in "aeiou" else "a ") + phrase

    text = f"{named('base')} in {named('body')}"
    if "cloak" in phrases:
        text += f", with {named('cloak')}"
    if "head" in phrases:
        text += f", wearing {named('head')}"
    hands = [named(layer) for layer in ("hand1", "hand2") if layer in phrases]
    return text + (", holding " + " and ".join(hands) if hands else "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--attune", default="attune")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dolls", required=True, type=pathlib.Path)
    parser.add_argument("--classifier", required=True)
    parser.add_argument("--candidates", type=int, default=400, help="of each kind")
    parser.add_argument("--count", type=int, default=16, help="images of each")
    parser.add_argument("--wanted", type=int, default=10, help="prompts of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dolls = Dolls(arguments.dolls)
    for kind in ("rare", "held out"):
        dice = random.Random(f"{arguments.seed} {kind}")
        prompts = [dolls.prompt(dice, kind == "held out") for _ in range(arguments.candidates)]
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(prompts))
            file.flush()
            report = subprocess.run(
                [arguments.attune, "image", "evaluate", "--model", arguments.model, "--dolls",
                 arguments.dolls, "--classifier", arguments.classifier, "--prompts", file.name, "--steps",
                 "12", "--guidance", "2", "--count", str(arguments.count), "--json"],
                check=True, stdout=subprocess.PIPE).stdout
        fractions = [
            [prompt[measure]["mean"] for measure in ("allAttributes", "layersRight") if measure in prompt]
            for prompt in json.loads(report)["prompts"]]
        fitting = [
            prompt for prompt, both in zip(prompts, fractions)
            if len(both) == 2 and all(0.05 <= fraction <= 0.7 for fraction in both)]
        print(f"# {kind}: the first {arguments.wanted} of {len(fitting)} that fit among {len(prompts)}")
        print("\n".join(fitting[:arguments.wanted]), flush=True)


main()
