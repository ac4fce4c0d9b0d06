"""Goldens for U-Nets of clips at small sizes, made on the CPU.

Usage: python make_unets.py

Needs torch and diffusers; writes unets.json (what config.json says for each case and its inputs) and
unets.safetensors (results, and gradients where a case asks for them) beside itself. Weights and inputs are not
stored: both sides draw them from torch.Generator, weights in the order of their names. That fills `conv4.3` of the
temporal convolutions too, which diffusers starts at zero: with zeros there, permuting the frames of a sample permutes
those of the prediction, and no golden would see the order of frames.

Networks run in double precision: with one channel in a group of their norms, results in single precision are off by
up to 7e-5, gradients by 1e-3. The cases with gradients are those where PyTorch's own in single precision are within
3e-5: with blocks of 4, 8 and 12 channels they are off by 2e-4, and ours by as much.
"""

import json
import pathlib
import sys

import torch
from diffusers import UNet3DConditionModel
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "TextToImage"))
from make_networks import INPUT_SEED, draw_weights  # noqa: E402

torch.set_num_threads(1)
CROSS_DOWN, DOWN = "CrossAttnDownBlock3D", "DownBlock3D"
CROSS_UP, UP = "CrossAttnUpBlock3D", "UpBlock3D"
SMALL = dict(
    sample_size=16, block_out_channels=[4, 8], norm_num_groups=4, down_block_types=[CROSS_DOWN, DOWN],
    up_block_types=[UP, CROSS_UP], cross_attention_dim=8, attention_head_dim=2, layers_per_block=1,
)
THREE = dict(
    block_out_channels=[4, 8, 12], down_block_types=[CROSS_DOWN, CROSS_DOWN, DOWN],
    up_block_types=[UP, CROSS_UP, CROSS_UP], layers_per_block=2)

# Keys, shape of the sample [B, C, F, h, w], times, whether gradients are kept.
CASES = {
    "whole": (dict(), (4, 4, 4, 16, 16), [10], False),
    "odd sizes, two blocks": (dict(), (1, 4, 3, 10, 14), [601], False),
    "odd sizes, three blocks": (THREE, (1, 4, 3, 10, 14), [601], False),
    "one frame": (dict(), (2, 4, 1, 8, 8), [601], False),
    "two frames": (dict(), (2, 4, 2, 8, 8), [601], False),
    "nine frames": (dict(), (1, 4, 9, 8, 8), [601], False),
    "heads": (
        dict(block_out_channels=[32, 64], attention_head_dim=8, norm_num_groups=32), (1, 4, 3, 8, 8), [601], False),
    "heads that do not divide": (
        dict(block_out_channels=[20, 36], attention_head_dim=8, norm_num_groups=4), (1, 4, 3, 8, 6), [601], False),
    "time of each clip": (
        dict(block_out_channels=[8, 16], norm_num_groups=2), (2, 4, 3, 8, 8), [999, 3], True),
    "prompts at the bottom": (
        dict(down_block_types=[DOWN, CROSS_DOWN], up_block_types=[CROSS_UP, UP], in_channels=12, out_channels=12,
             block_out_channels=[16, 32], norm_num_groups=8, attention_head_dim=8), (2, 12, 3, 8, 8), [250], False),
    "padding and scales": (
        dict(downsample_padding=0, mid_block_scale_factor=2.0, norm_eps=1e-3, act_fn="mish", out_channels=6),
        (1, 4, 2, 8, 8), [601], False),
    "gradients of three blocks": (
        dict(THREE, block_out_channels=[8, 12, 16], layers_per_block=1, norm_num_groups=2), (2, 4, 2, 6, 10), [400],
        True),
}


def channels_last(x):
    """[B, C, F, h, w] to [B, F, h, w, C]."""
    return x.permute(0, 2, 3, 4, 1)


def main():
    cases, results = {}, {}
    for name, (keys, shape, times, has_gradients) in CASES.items():
        keys = {**SMALL, **keys}
        model = UNet3DConditionModel(**keys).eval()
        with torch.no_grad():
            draw_weights(model)
        model.double()
        generator = torch.Generator().manual_seed(INPUT_SEED)
        sample = torch.randn(shape, generator=generator)
        prompt = torch.randn(shape[0], 4, keys["cross_attention_dim"], generator=generator)
        time = torch.tensor(times if len(times) > 1 else times[0])
        output = model(sample.double(), time, prompt.double()).sample
        cases[name] = dict(
            configuration={"_class_name": "UNet3DConditionModel", **keys}, shape=shape, times=times)
        results[name] = channels_last(output)
        if has_gradients:
            target = torch.randn(output.shape, generator=generator).double()
            loss = (output - target).square().mean()
            loss.backward()
            results[f"{name}/loss"] = loss
            for parameter, value in model.named_parameters():
                results[f"{name}/gradient.{parameter}"] = value.grad
    (HERE / "unets.json").write_text(json.dumps(cases, indent=1) + "\n")
    save_file({k: v.detach().float().contiguous() for k, v in results.items()}, HERE / "unets.safetensors")


if __name__ == "__main__":
    main()
