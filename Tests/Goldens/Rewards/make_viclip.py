"""Goldens for ViCLIP at a small size, made by OpenGVLab's modules on the CPU.

    python make_viclip.py FOLDER    (torch, transformers, timm, einops, opencv-python-headless, numpy)

FOLDER holds the package viclip of github.com/OpenGVLab/InternVideo, Data/InternVid/viclip, without
its big vocabulary. Weights are drawn in the order of their names from torch's generator, so that
they need no file; texts are read by the tokenizer of Goldens/TextToImage.
"""

import json
import pathlib
import sys
import types

import cv2
import numpy as np
import torch
from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
PROMPTS = ["a knight with a golden shield", "An astronaut's CAT", "a a a a a a a a a a a a a a a a a a"]
SIZE, PATCH, FRAMES, LENGTH, WIDTH = 12, 4, 3, 10, 128


def modules(folder):
    """The two towers; what reads the vocabulary, and the package's first file, are left aside."""
    package = types.ModuleType("viclip")
    package.__path__ = [str(pathlib.Path(folder) / "viclip")]
    sys.modules["viclip"] = package
    tokenizer = types.ModuleType("viclip.simple_tokenizer")
    tokenizer.SimpleTokenizer = lambda: None
    sys.modules["viclip.simple_tokenizer"] = tokenizer
    from viclip.viclip_text import CLIP_TEXT
    from viclip.viclip_vision import VisionTransformer
    return VisionTransformer, CLIP_TEXT


def draw(towers):
    generator = torch.Generator().manual_seed(7)
    named = {f"{tower}.{name}": p for tower, model in towers.items() for name, p in model.named_parameters()}
    for name, parameter in sorted(named.items()):
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            values = values / parameter[0].numel() ** 0.5
        else:
            values = values * 0.1 + (1 if ".ln_" in name and name.endswith("weight") else 0)
        parameter.data.copy_(values)
    return {name: list(parameter.shape) for name, parameter in sorted(named.items())}


def view(frames):
    """`frames2tensor` of the package for frames that are RGB already, at another size."""
    step = len(frames) // FRAMES
    resized = [cv2.resize(frame, (SIZE, SIZE)) for frame in frames[::step][:FRAMES]]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return np.stack([(frame / 255.0 - mean) / deviation for frame in resized]).astype(np.float32)


@torch.no_grad()
def main():
    vision_type, text_type = modules(sys.argv[1])
    tokenizer = CLIPTokenizer.from_pretrained(str(HERE.parent / "TextToImage" / "tokenizer"))
    vocabulary = max(tokenizer.get_vocab().values()) + 1
    towers = {
        "vision_encoder": vision_type(SIZE, PATCH, WIDTH, 2, WIDTH // 64, output_dim=20, num_frames=FRAMES),
        "text_encoder": text_type(20, LENGTH, vocabulary, WIDTH, WIDTH // 64, 2, 0),
    }
    shapes = draw(towers)
    for tower in towers.values():
        tower.eval()
    generator = np.random.default_rng(3)
    exact = generator.integers(0, 256, (2, FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    long = generator.integers(0, 256, (7, 9, 17, 3), dtype=np.uint8)
    clips = torch.from_numpy(np.stack([view(clip) for clip in exact])).permute(0, 4, 1, 2, 3)
    videos = towers["vision_encoder"](clips)
    tokens = torch.zeros(len(PROMPTS), LENGTH, dtype=torch.int)
    for row, prompt in enumerate(PROMPTS):
        ids = tokenizer(prompt)["input_ids"]
        if len(ids) > LENGTH:
            ids = ids[:LENGTH]
            ids[-1] = tokenizer.eos_token_id
        tokens[row, : len(ids)] = torch.tensor(ids)
    texts = towers["text_encoder"](tokens)
    unit = torch.nn.functional.normalize
    result = {
        "shapes": shapes, "prompts": PROMPTS, "clips": exact.reshape(2, -1).tolist(),
        "videos": unit(videos, dim=-1).tolist(), "texts": unit(texts, dim=-1).tolist(),
        "long": long.reshape(7, -1).tolist(), "longSize": [17, 9],
        "view": [round(float(x), 6) for x in view(list(long)).reshape(-1)],
    }
    (HERE / "viclip.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
