"""Goldens for CLIP models and image preprocessing at small sizes, made by transformers on the CPU.

Weights are drawn in the order of their names from torch's generator, so that they need no file.
Run from anywhere: python make_clip.py (torch, transformers, pillow, numpy, safetensors).
"""

import json
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

try:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Processor
except ImportError:
    from transformers import CLIPImageProcessor as Processor

HERE = pathlib.Path(__file__).parent
TEXT = dict(vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=9, eos_token_id=39, bos_token_id=38, pad_token_id=1)
VISION = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=16,
              patch_size=4)
TOKENS = [[38, 4, 9, 1, 39, 1, 1], [38, 7, 39, 39, 39, 39, 39], [38, 2, 3, 4, 5, 6, 39]]
CASES = {
    "plain": (TEXT, VISION, dict(projection_dim=12)),
    "gelu, one head": (dict(TEXT, hidden_act="gelu", num_attention_heads=1),
                       dict(VISION, hidden_act="gelu", num_attention_heads=1, patch_size=8), dict(projection_dim=20)),
    "old end token, uneven patches": (dict(TEXT, eos_token_id=2, layer_norm_eps=1e-3),
                                      dict(VISION, image_size=19, patch_size=6, layer_norm_eps=1e-4),
                                      dict(projection_dim=8)),
    "deep": (dict(TEXT, num_hidden_layers=4, hidden_size=32, num_attention_heads=4),
             dict(VISION, num_hidden_layers=4, hidden_size=32, num_attention_heads=4), dict(projection_dim=32)),
}
PICTURES = [(37, 21), (16, 50), (32, 32), (9, 9)]
PROCESSORS = {
    "clip": dict(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    "number": dict(size={"shortest_edge": 20}, crop_size={"height": 12, "width": 14}),
    # Both directions shrink or both grow: Pillow 13 chose another order of passes than earlier versions.
    "exact": dict(size={"height": 15, "width": 12}, do_center_crop=False),
    "padded": dict(do_resize=False, crop_size={"height": 33, "width": 34}, image_mean=[0.5, 0.4, 0.3],
                   image_std=[0.2, 0.3, 0.4]),
}


def draw(model):
    generator = torch.Generator().manual_seed(7)
    names = {n: p for n, p in model.state_dict(keep_vars=True).items() if not n.endswith("position_ids")}
    for name, parameter in sorted(names.items()):
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            values = values / parameter[0].numel() ** 0.5
        else:
            values = values * 0.1 + (1 if name.endswith("weight") else 0)
        parameter.data.copy_(values)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    cases, results = {"models": {}, "processors": PROCESSORS}, {}
    for name, (text, vision, keys) in CASES.items():
        config = CLIPConfig(text_config=text, vision_config=vision, **keys)
        config._attn_implementation = "eager"
        model = CLIPModel(config).eval()
        draw(model)
        size = vision["image_size"]
        pixels = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(11))
        output = model(input_ids=torch.tensor(TOKENS), pixel_values=pixels, attention_mask=None)
        cases["models"][name] = dict(configuration=dict(config.to_dict(), **keys), tokens=TOKENS)
        results[f"{name}/image"] = output.image_embeds
        results[f"{name}/text"] = output.text_embeds
        results[f"{name}/logits"] = output.logits_per_image
    generator = np.random.default_rng(3)
    for index, (width, height) in enumerate(PICTURES):
        # Smooth in places and noisy in others.
        ramp = np.linspace(0, 255, width)[None, :, None] * np.linspace(0.2, 1, height)[:, None, None]
        noise = generator.integers(0, 256, (height, width, 3))
        picture = np.where(np.arange(height)[:, None, None] % 7 < 4, ramp, noise).astype(np.uint8)
        results[f"picture {index}"] = torch.from_numpy(picture)
        for name, keys in PROCESSORS.items():
            pixels = Processor(**keys)(Image.fromarray(picture), return_tensors="np")["pixel_values"][0]
            results[f"picture {index}/{name}"] = torch.from_numpy(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    (HERE / "clip.json").write_text(json.dumps(cases, indent=1, sort_keys=True) + "\n")
    save_file({k: v.contiguous() for k, v in results.items()}, HERE / "clip.safetensors")


main()
