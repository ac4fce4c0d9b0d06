"""A tiny motion adapter and what diffusers' AnimateDiffPipeline generates with it, made on the CPU.

Usage: python make_animatediff.py

Needs torch, diffusers and transformers. Reads the text-to-image model of ../TextToImage; writes motion_adapter/
(float16 weights) and animatediff.safetensors (frames `[B, F, H, W, 3]` of each case) beside itself.
"""

import pathlib
import shutil
import sys

import torch
from diffusers import AnimateDiffPipeline, AutoencoderKL, DDIMScheduler, MotionAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent / "TextToImage"
from make_motion import draw  # noqa: E402

sys.path.insert(0, str(IMAGES))
from make_pipeline import NEGATIVE, PROMPTS, SEEDS, STEPS  # noqa: E402

FRAMES = 4


@torch.no_grad()
def main():
    adapter = MotionAdapter(
        block_out_channels=(8, 16), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=4,
        motion_max_seq_length=8)
    draw(adapter)
    folder = HERE / "motion_adapter"
    shutil.rmtree(folder, ignore_errors=True)
    adapter.to(torch.float16).save_pretrained(folder)
    adapter = MotionAdapter.from_pretrained(folder, torch_dtype=torch.float32)
    tokenizer = CLIPTokenizer(
        vocab=str(IMAGES / "tokenizer/vocab.json"), merges=str(IMAGES / "tokenizer/merges.txt"), model_max_length=77)
    images = IMAGES / "pipeline"
    scheduler = DDIMScheduler.from_pretrained(
        images / "scheduler", beta_schedule="linear", clip_sample=False, timestep_spacing="linspace", steps_offset=1)
    pipeline = AnimateDiffPipeline(
        vae=AutoencoderKL.from_pretrained(images / "vae", torch_dtype=torch.float32),
        text_encoder=CLIPTextModel.from_pretrained(images / "text_encoder", torch_dtype=torch.float32),
        tokenizer=tokenizer, unet=UNet2DConditionModel.from_pretrained(images / "unet", torch_dtype=torch.float32),
        motion_adapter=adapter, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
    results = {}
    for name, options in {
        "ddim": dict(guidance_scale=7.5), "no guidance": dict(guidance_scale=1.0),
        "eta 1": dict(guidance_scale=7.5, eta=1.0),
    }.items():
        frames = pipeline(
            PROMPTS, negative_prompt=NEGATIVE, generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
            num_frames=FRAMES, num_inference_steps=STEPS, height=16, width=16, output_type="pt", **options).frames
        results[name] = frames.permute(0, 1, 3, 4, 2)
        inside = ((frames > 0) & (frames < 1)).float().mean().item()
        print(f"{name}: {tuple(frames.shape)}, {inside:.0%} of the values not clamped, mean {frames.mean():.3f}")
    save_file({k: v.float().clone().contiguous() for k, v in results.items()}, HERE / "animatediff.safetensors")


if __name__ == "__main__":
    main()
