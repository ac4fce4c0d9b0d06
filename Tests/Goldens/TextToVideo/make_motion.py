"""Goldens for U-Nets with AnimateDiff's motion modules at small sizes, made on the CPU.

Usage: python make_motion.py

Needs torch and diffusers; writes motion.json (what config.json says for each case and its inputs) and
motion.safetensors (results) beside itself. Weights and inputs are not stored: both sides draw them from
torch.Generator, weights in the order of their names but for the tables of positions, which stay as they are.

"joined" is `UNetMotionModel.from_unet2d` of a U-Net of images and a motion adapter, each drawn by itself.
"""

import json
import pathlib
import sys

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "TextToImage"))
from make_networks import INPUT_SEED, WEIGHT_SEED, draw_weights  # noqa: E402

torch.set_num_threads(1)
CROSS_DOWN, DOWN = "CrossAttnDownBlockMotion", "DownBlockMotion"
CROSS_UP, UP = "CrossAttnUpBlockMotion", "UpBlockMotion"
SMALL = dict(
    sample_size=8, block_out_channels=[16, 32], norm_num_groups=16, cross_attention_dim=16, num_attention_heads=2,
    motion_num_attention_heads=2, motion_max_seq_length=8, layers_per_block=1, down_block_types=[CROSS_DOWN, DOWN],
    up_block_types=[UP, CROSS_UP],
)

# Keys, shape of the sample [B, C, F, h, w], times, whether gradients are kept.
CASES = {
    "with motion in the middle": (dict(), (2, 4, 4, 8, 8), [601], True),
    "without motion in the middle": (dict(use_motion_mid_block=False), (2, 4, 4, 8, 8), [601], False),
    "as many frames as positions": (dict(), (1, 4, 8, 8, 8), [10], False),
    "one frame, odd size": (dict(), (1, 4, 1, 6, 10), [601], False),
    "time of each clip": (dict(layers_per_block=2), (2, 4, 3, 8, 8), [999, 3], False),
    "linear projections, layers and heads": (
        dict(use_linear_projection=True, transformer_layers_per_block=2, temporal_transformer_layers_per_block=2,
             num_attention_heads=[2, 4], motion_num_attention_heads=[4, 8], norm_eps=1e-3), (1, 4, 3, 8, 8), [601],
        False),
}
IMAGES = dict(
    sample_size=8, block_out_channels=[16, 32], norm_num_groups=16, cross_attention_dim=16, attention_head_dim=2,
    layers_per_block=1, down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
)
ADAPTER = dict(
    block_out_channels=[16, 32], motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=16,
    motion_max_seq_length=8,
)


def draw(model):
    """draw_weights, but for buffers: a motion module's table of positions is part of the state."""
    names = {name for name, _ in model.named_parameters()}

    class Parameters:
        def state_dict(self):
            return {name: value for name, value in model.state_dict().items() if name in names}

    draw_weights(Parameters())


def inputs(shape, times, width):
    generator = torch.Generator().manual_seed(INPUT_SEED)
    sample = torch.randn(shape, generator=generator)
    prompt = torch.randn(shape[0], 4, width, generator=generator)
    return sample, prompt, torch.tensor(times if len(times) > 1 else times[0]), generator


def predicted(model, sample, prompt, times):
    # The caller repeats prompts for frames.
    prompt = prompt.repeat_interleave(sample.shape[2], dim=0)
    return model(sample, times, prompt).sample


def channels_last(x):
    return x.permute(0, 2, 3, 4, 1)


def main():
    cases, results = {}, {}
    for name, (keys, shape, times, has_gradients) in CASES.items():
        keys = {**SMALL, **keys}
        model = UNetMotionModel(**keys).eval()
        with torch.no_grad():
            draw(model)
        sample, prompt, t, generator = inputs(shape, times, keys["cross_attention_dim"])
        output = predicted(model, sample, prompt, t)
        cases[name] = dict(configuration={"_class_name": "UNetMotionModel", **keys}, shape=shape, times=times)
        results[name] = channels_last(output)
        if has_gradients:
            target = torch.randn(output.shape, generator=generator)
            loss = (output - target).square().mean()
            loss.backward()
            results[f"{name}/loss"] = loss
            for parameter, value in model.named_parameters():
                if "motion_modules" in parameter:
                    results[f"{name}/gradient.{parameter}"] = value.grad
    images, adapter = UNet2DConditionModel(**IMAGES).eval(), MotionAdapter(**ADAPTER).eval()
    with torch.no_grad():
        draw(images)
        draw(adapter)
        model = UNetMotionModel.from_unet2d(images, adapter).eval()
        shape, times = (2, 4, 4, 8, 8), [601]
        sample, prompt, t, _ = inputs(shape, times, 16)
        results["joined"] = channels_last(predicted(model, sample, prompt, t))
    cases["joined"] = dict(
        configuration={"_class_name": "UNet2DConditionModel", **IMAGES},
        adapter={"_class_name": "MotionAdapter", **ADAPTER}, shape=shape, times=times)
    table = model.state_dict()["down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe"]
    results["positions"] = table
    (HERE / "motion.json").write_text(json.dumps(cases, indent=1) + "\n")
    save_file({k: v.detach().clone().contiguous() for k, v in results.items()}, HERE / "motion.safetensors")
    print(WEIGHT_SEED, {k: tuple(v.shape) for k, v in results.items() if "/" not in k})


if __name__ == "__main__":
    main()
