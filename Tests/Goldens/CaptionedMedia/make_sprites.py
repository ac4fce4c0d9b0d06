"""Synthetic sprite sheets, and clips of them as Pillow composes them.

    python3 make_sprites.py    (Pillow 11)

The sheets have the layout of the Liberated Pixel Cup: cells of 64 x 64, a row for each action.
sprites/ gets the sheets with captions.tsv and actions.tsv, sprites.json the clips.
"""

import base64
import json
import os
import random

from PIL import Image, ImageDraw

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sprites")
ACTIONS = [
    (0, 9, "walking to the left"),
    (1, 6, "slashing to the right"),
    (2, 8, "thrusting away from the viewer"),
    (4, 13, "shooting towards the viewer"),
]
ITEMS = [
    ("body", "0.png", "fair skinned person", (230, 190, 160, 255)),
    ("body", "1.png", "green orc", (80, 150, 60, 255)),
    ("eyes", "0.png", "blue eyes", (0, 0, 255, 255)),
    ("shoes", "0.png", "brown shoes", (110, 70, 30, 255)),
    ("bottomwear", "0.png", "red trousers", (200, 30, 30, 255)),
    ("bottomwear", "1.png", "brown skirt", (120, 80, 40, 160)),
    ("topwear", "0.png", "cyan shirt", (30, 200, 200, 255)),
    ("topwear", "1.png", "grey chain mail", (120, 120, 130, 255)),
    ("topwear", "2.png", "cream jacket and tie", (240, 230, 200, 255)),
    ("hair", "0.png", "short red hair", (180, 40, 20, 255)),
    ("hair", "1.png", "short red hair", (220, 60, 40, 255)),
    ("hair", "2.png", "white hair", (250, 250, 250, 200)),
]
# The part of a cell that each layer fills: left, top, right, bottom.
BOXES = {
    "body": (22, 20, 42, 60), "eyes": (28, 26, 36, 28), "shoes": (22, 56, 42, 60),
    "bottomwear": (23, 44, 41, 58), "topwear": (20, 32, 44, 46), "hair": (24, 16, 40, 26),
}


def sheet(layer, name, color):
    """A box that moves by a pixel a frame, and by its row."""
    image = Image.new("RGBA", (13 * 64, 5 * 64))
    draw = ImageDraw.Draw(image)
    for row, frames, _ in ACTIONS:
        # As in the real sheets, one coat is not drawn in some actions.
        if (layer, name) == ("topwear", "2.png") and row in (2, 4):
            continue
        for frame in range(frames):
            left, top, right, bottom = BOXES[layer]
            # Mail hides what is below it.
            if (layer, name) == ("topwear", "1.png"):
                bottom = 58
            x, y = 64 * frame + frame % 5, 64 * row - row
            draw.rectangle([x + left, y + top, x + right - 1, y + bottom - 1], fill=color)
    return image


def frames(row, count):
    """The rule of the specification, written anew."""
    number, phrase = next((n, p) for r, n, p in ACTIONS if r == row)
    if phrase.startswith("walking"):
        return list(range(1, 9)) if count == 8 else None
    return [int(i * (number - 1) / (count - 1) + 0.5) for i in range(count)]


def main():
    sheets = {}
    for layer, name, phrase, color in ITEMS:
        os.makedirs(f"{FOLDER}/{layer}", exist_ok=True)
        image = sheet(layer, name, color)
        # Most of the real sheets have palettes.
        image.save(f"{FOLDER}/{layer}/{name}", optimize=True)
        sheets[layer, name] = image
    with open(f"{FOLDER}/captions.tsv", "w") as file:
        file.write("layer\tfile\tphrase\n")
        file.writelines(f"{layer}\t{name}\t{phrase}\n" for layer, name, phrase, _ in ITEMS)
    with open(f"{FOLDER}/actions.tsv", "w") as file:
        file.write("row\tframes\tphrase\n")
        file.writelines(f"{row}\t{count}\t{phrase}\n" for row, count, phrase in ACTIONS)

    generator = random.Random(3)
    clips = []
    for row, _, _ in ACTIONS:
        files = {}
        for layer in ["body", "shoes", "bottomwear", "topwear", "hair"]:
            names = [n for l, n, _, _ in ITEMS if l == layer]
            if layer == "topwear" and row in (2, 4):
                names.remove("2.png")
            files[layer] = generator.choice(names)
        samples = b""
        for frame in frames(row, 8):
            image = Image.new("RGBA", (56, 56), (128, 128, 128, 255))
            for layer, name in files.items():
                x, y = 64 * frame + 4, 64 * row + 8
                image.alpha_composite(sheets[layer, name].crop((x, y, x + 56, y + 56)))
            samples += image.convert("RGB").resize((32, 32), Image.BOX).tobytes()
        clips.append(
            {"row": row, "files": files, "samples": base64.b64encode(samples).decode()})
    with open(os.path.join(os.path.dirname(FOLDER), "sprites.json"), "w") as file:
        json.dump(clips, file, indent=1)


if __name__ == "__main__":
    main()
