"""Makes a tiny folder of paper-doll layers, and dolls composed of them by Pillow.

Run in this folder with Pillow and NumPy; writes dolls/ and dolls.json.
"""

import base64
import csv
import json
import os
import random

import numpy as np
from PIL import Image

SIZE = 32
# Lowest layer first.
LAYERS = ["cloak", "base", "boots", "legs", "body", "hand1", "hand2", "hair", "head"]
ITEMS = [
    # layer, file, phrase, noun, colour, box (left, top, right, bottom)
    ("cloak", "red.png", "red cloak", "cloak", "red", (6, 10, 26, 30)),
    ("cloak", "olive.png", "olive cloak", "cloak", "olive", (5, 9, 27, 29)),
    ("base", "man.png", "human", "human", "", (10, 2, 22, 30)),
    ("base", "woman.png", "human", "human", "", (11, 3, 21, 30)),
    ("base", "elf.png", "elf", "elf", "", (11, 2, 21, 30)),
    ("base", "orc.png", "grey orc", "orc", "grey", (9, 4, 23, 30)),
    ("boots", "red.png", "red boots", "boots", "red", (11, 27, 21, 31)),
    ("legs", "blue.png", "blue trousers", "trousers", "blue", (11, 20, 21, 28)),
    ("legs", "red.png", "orange skirt", "skirt", "orange", (10, 20, 22, 25)),
    ("body", "robe.png", "blue robe", "robe", "blue", (9, 11, 23, 29)),
    ("body", "coat.png", "dark blue coat", "coat", "dark blue", (10, 11, 22, 24)),
    ("body", "plate.png", "black and gold plate armour", "plate armour", "black", (10, 10, 22, 22)),
    ("body", "plate2.png", "gold plate armour", "plate armour", "gold", (10, 10, 22, 22)),
    ("hand1", "axe.png", "axe", "axe", "", (2, 6, 9, 22)),
    ("hand1", "dagger.png", "dagger", "dagger", "", (5, 14, 9, 20)),
    ("hand1", "staff.png", "skull staff", "staff", "", (3, 2, 6, 28)),
    ("hand1", "skull.png", "skull", "skull", "", (3, 2, 6, 6)),
    ("hand2", "dagger.png", "dagger", "dagger", "", (23, 14, 27, 20)),
    ("hand2", "shield.png", "skull shield", "shield", "", (21, 12, 31, 24)),
    ("hand2", "book.png", "red book", "book", "red", (22, 15, 28, 21)),
    ("hair", "long.png", "long red hair", "hair", "red", (9, 1, 23, 10)),
    ("head", "hat.png", "orange hat", "hat", "orange", (8, 0, 24, 6)),
    ("head", "crown.png", "gold crown", "crown", "gold", (11, 0, 21, 4)),
]
FORBIDDEN = [
    ("base", "elf.png", "hair", "long.png"),
    ("base", "orc.png", "hair", "long.png"),
    ("hair", "long.png", "head", "hat.png"),
    ("hair", "long.png", "head", "crown.png"),
    ("body", "robe.png", "legs", "blue.png"),
    ("body", "robe.png", "legs", "red.png"),
    ("legs", "blue.png", "boots", "red.png"),
    ("base", "woman.png", "body", "plate.png"),
]
HELD_OUT = [("blue robe", "skull shield"), ("dark blue coat", "red book")]
NO_ARTICLE = {"plate armour", "trousers", "boots", "hair"}


def layer(generator, box):
    """Noise with a soft rim, so that every kind of alpha occurs."""
    pixels = np.zeros((SIZE, SIZE, 4), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right, :3] = generator.integers(0, 256, (bottom - top, right - left, 3))
    pixels[top:bottom, left:right, 3] = generator.integers(1, 255, (bottom - top, right - left))
    pixels[top + 1 : bottom - 1, left + 1 : right - 1, 3] = 255
    return Image.fromarray(pixels, "RGBA")


def compose(doll, background):
    picture = Image.new("RGBA", (SIZE, SIZE), background + (255,))
    for name in LAYERS:
        if name in doll:
            picture.alpha_composite(Image.open(f"dolls/{name}/{doll[name]}").convert("RGBA"))
    return picture.convert("RGB")


def words(row):
    phrase, noun = row[2], row[3]
    if noun in NO_ARTICLE:
        return phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def caption(doll):
    said = {name: words(next(r for r in ITEMS if r[:2] == (name, file))) for name, file in doll.items()}
    text = said["base"] + (" with " + said["hair"] if "hair" in said else "")
    clothes = [said[name] for name in ("body", "legs", "boots") if name in said]
    text += " in " + (", ".join(clothes[:-1]) + " and " if clothes[1:] else "") + clothes[-1]
    text += ", with " + said["cloak"] if "cloak" in said else ""
    text += ", wearing " + said["head"] if "head" in said else ""
    hands = [said[name] for name in ("hand1", "hand2") if name in said]
    return text + (", holding " + " and ".join(hands) if hands else "")


def table(name, header, rows):
    with open(f"dolls/{name}", "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


generator = np.random.default_rng(6)
for name, file, *_, box in ITEMS:
    os.makedirs(f"dolls/{name}", exist_ok=True)
    picture = layer(generator, box)
    if name == "boots":  # a palette with one transparent entry, as many of the real layers have
        flat = Image.new("P", (SIZE, SIZE), 0)
        flat.putpalette([0, 0, 0, 200, 30, 30])
        flat.paste(1, box)
        flat.save(f"dolls/{name}/{file}", transparency=0)
    else:
        picture.save(f"dolls/{name}/{file}")
table("captions.tsv", ["layer", "file", "phrase", "noun", "colour"], [row[:5] for row in ITEMS])
table(
    "forbidden.tsv", ["layer_a", "file_a", "layer_b", "file_b", "reason"],
    [row + ("for the test",) for row in FORBIDDEN])
table("heldout_pairs.tsv", ["body phrase", "hand2 phrase"], HELD_OUT)

chance = random.Random(6)
dolls = []
for _ in range(12):
    doll = {}
    for name in LAYERS:
        if name in ("base", "body") or chance.random() < 0.6:
            doll[name] = chance.choice([row[1] for row in ITEMS if row[0] == name])
    background = tuple(chance.randrange(256) for _ in range(3))
    samples = np.asarray(compose(doll, background)).tobytes()
    dolls.append({
        "files": doll, "background": list(background), "caption": caption(doll),
        "samples": base64.b64encode(samples).decode()})
table(
    "heldout.tsv", ["caption", "base", "body", "hand2"],
    [(caption(d), d["base"], d["body"], d["hand2"]) for d in (
        {"base": "man.png", "body": "robe.png", "hand2": "shield.png"},
        {"base": "elf.png", "body": "coat.png", "hand2": "book.png"})])
with open("dolls.json", "w") as file:
    json.dump(dolls, file, indent=1)

# Captions as NumPy's own texts, which Attune does not read, beside images, which it does.
np.savez_compressed(
    "numpy_captions.npz", images=np.zeros((3, 8, 8, 3), "u1"), captions=np.array(["one", "", "three"]))
