"""A tiny text-to-video folder and what diffusers generates with it, made on the CPU.

Usage: python make_pipeline.py

Needs torch, diffusers and transformers. Reads the text encoder, the autoencoder and the tokenizer of
../TextToImage, which the test puts into the folder, too; writes pipeline/ (float16 weights of the U-Net, the scheduler
and model_index.json) and pipeline.safetensors (frames `[B, F, H, W, 3]` of each case) beside itself.

Each clip has a generator of its own. diffusers takes a list of generators for the initial latents, but not for the
noise of a step of two clips, so that clips whose sampler draws noise are made one by one.
"""

import pathlib
import shutil
import sys

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    TextToVideoSDPipeline,
    UNet3DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent / "TextToImage"
sys.path.insert(0, str(IMAGES))
from make_networks import draw_weights  # noqa: E402
from make_pipeline import NEGATIVE, PROMPTS, SEEDS, STEPS  # noqa: E402

FRAMES = 3


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


@torch.no_grad()
def main():
    unet = UNet3DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"), up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        norm_num_groups=4, attention_head_dim=4, cross_attention_dim=16).eval()
    draw_weights(unet)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1)
    tokenizer = CLIPTokenizer(
        vocab=str(IMAGES / "tokenizer/vocab.json"), merges=str(IMAGES / "tokenizer/merges.txt"), model_max_length=77)
    text_encoder = CLIPTextModel.from_pretrained(IMAGES / "pipeline/text_encoder", torch_dtype=torch.float32)
    vae = AutoencoderKL.from_pretrained(IMAGES / "pipeline/vae", torch_dtype=torch.float32)
    pipeline = TextToVideoSDPipeline(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler)
    folder = HERE / "pipeline"
    shutil.rmtree(folder, ignore_errors=True)
    unet.to(torch.float16)
    pipeline.save_pretrained(folder)
    for part in ["tokenizer", "text_encoder", "vae"]:
        shutil.rmtree(folder / part)
    pipeline.unet = UNet3DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    # As the file has it: keys that were left at their defaults count as given.
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    pipeline.set_progress_bar_config(disable=True)
    # diffusers 0.42 looks for the final norm where transformers 4 had it.
    pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
    results = {}

    def generate(name, scheduler, clips=slice(None), **options):
        pipeline.scheduler = scheduler
        options = {**dict(num_inference_steps=STEPS, guidance_scale=9.0, num_frames=FRAMES), **options}
        frames = pipeline(
            PROMPTS[clips], negative_prompt=NEGATIVE[clips], generator=generators()[clips], output_type="pt",
            **options).frames  # [B, F, 3, H, W]
        return frames.permute(0, 1, 3, 4, 2)

    def one_by_one(name, scheduler, **options):
        return torch.cat([generate(name, scheduler, slice(i, i + 1), **options) for i in range(len(SEEDS))])

    base = scheduler.config
    solver = DPMSolverMultistepScheduler.from_config(base)
    latents = torch.randn(2, 4, FRAMES, 8, 8, generator=torch.Generator().manual_seed(5))
    results["ddim"] = generate("ddim", scheduler)
    results["ddim, no guidance"] = generate("ddim, no guidance", scheduler, guidance_scale=1.0)
    results["dpm-solver"] = generate("dpm-solver", solver)
    results["dpm-solver, no guidance"] = generate("dpm-solver, no guidance", solver, guidance_scale=1.0)
    results["ddim, latents given"] = generate("ddim, latents given", scheduler, latents=latents)
    results["ddim, wide"] = generate("ddim, wide", scheduler, height=16, width=24, num_frames=2)
    results["ddim, clip skip"] = generate("ddim, clip skip", scheduler, clip_skip=1)
    results["ddim, eta 1"] = one_by_one("ddim, eta 1", scheduler, eta=1.0)
    results["euler-ancestral"] = one_by_one("euler-ancestral", EulerAncestralDiscreteScheduler.from_config(base))
    # TextToVideoSDPipeline follows the scheduler's file where StableDiffusionPipeline overrules it.
    clipping = DDIMScheduler.from_config(base, clip_sample=True, steps_offset=0)
    results["clipping scheduler"] = generate("clipping scheduler", clipping)
    for name, frames in results.items():
        inside = ((frames > 0) & (frames < 1)).float().mean().item()
        print(f"{name}: {tuple(frames.shape)}, {inside:.0%} of the values not clamped, mean {frames.mean():.3f}")
    save_file({k: v.float().clone().contiguous() for k, v in results.items()}, HERE / "pipeline.safetensors")


if __name__ == "__main__":
    main()
