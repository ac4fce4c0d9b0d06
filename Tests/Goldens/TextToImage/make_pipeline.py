"""A tiny Stable Diffusion folder and what diffusers generates with it, made on the CPU.

Usage: python make_pipeline.py

Needs torch, diffusers and transformers; writes pipeline/ (float16 weights, the U-Net's in two shards) and
pipeline.safetensors beside itself. Reads tokenizer/, which make_tokens.py wrote.
"""

import pathlib
import shutil

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from make_networks import draw_weights

HERE = pathlib.Path(__file__).parent
PROMPTS = ["a knight with a golden shield", "An astronaut's CAT, 東京 😀"]
NEGATIVE = ["blue", ""]
SEEDS = [3, 2024]
STEPS = 4


def text_encoder():
    config = CLIPTextConfig(
        vocab_size=1_200, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        bos_token_id=1_198, eos_token_id=1_199, pad_token_id=1_199)
    return CLIPTextModel(config).eval()


def unet(channels):
    return UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=channels, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4, attention_head_dim=2, cross_attention_dim=16).eval()


def velocity_scheduler():
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="linspace", clip_sample=True)


def generators():
    return [torch.Generator().manual_seed(seed) for seed in SEEDS]


@torch.no_grad()
def main():
    autoencoder = AutoencoderKL(
        block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, sample_size=16, latent_channels=4).eval()
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1)
    tokenizer = CLIPTokenizer(
        vocab=str(HERE / "tokenizer/vocab.json"), merges=str(HERE / "tokenizer/merges.txt"), model_max_length=77)
    parts = dict(text_encoder=text_encoder(), unet=unet(4), vae=autoencoder)
    for part in parts.values():
        draw_weights(part)
    pipeline = StableDiffusionPipeline(
        tokenizer=tokenizer, scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False, **parts)
    folder = HERE / "pipeline"
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(folder, max_shard_size="60KB")
    # The vocabulary in the files that older versions write.
    shutil.rmtree(folder / "tokenizer")
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, tokenizer=tokenizer, torch_dtype=torch.float32, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)

    # diffusers 0.42 looks for the final norm where transformers 4 had it.
    pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
    results = {}

    def generate(name, scheduler, **options):
        pipeline.scheduler = scheduler
        options = {**dict(num_inference_steps=STEPS, guidance_scale=5.0), **options}
        images = pipeline(
            PROMPTS, negative_prompt=NEGATIVE, generator=generators(), output_type="pt", **options).images
        results[name] = images.permute(0, 2, 3, 1)

    # As the file has it: keys that were left at their defaults count as given.
    base = pipeline.scheduler.config
    generate("ddim", scheduler)
    generate("ddim, eta and rescale", scheduler, eta=0.6, guidance_rescale=0.7)
    generate("ddim, no guidance", scheduler, guidance_scale=1.0)
    generate("ddim, wide", scheduler, height=16, width=24)
    generate("ddim, clip skip", scheduler, clip_skip=1)
    generate("ddpm", DDPMScheduler.from_config(base))
    generate("euler", EulerDiscreteScheduler.from_config(base))
    generate("euler-ancestral", EulerAncestralDiscreteScheduler.from_config(base))
    generate("heun", HeunDiscreteScheduler.from_config(base))
    generate("dpm-solver", DPMSolverMultistepScheduler.from_config(base))
    # Another file: cosine, velocity, zero terminal SNR, evenly spaced. Its clamping is switched off by the
    # pipeline, unless the scheduler is put in afterwards.
    parts = {**pipeline.components, "scheduler": velocity_scheduler()}
    pipeline = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    generate("velocity", pipeline.scheduler)

    # Pixel space: 12 channels are squares of 2 x 2 pixels.
    network = unet(12)
    draw_weights(network)
    pipeline = StableDiffusionPipeline(
        vae=None, text_encoder=pipeline.text_encoder, tokenizer=tokenizer, unet=network,
        scheduler=velocity_scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.scheduler = velocity_scheduler()
    pipeline.set_progress_bar_config(disable=True)
    size = 8 * pipeline.vae_scale_factor
    samples = pipeline(
        PROMPTS, negative_prompt=NEGATIVE, generator=generators(), output_type="latent", height=size, width=size,
        num_inference_steps=STEPS, guidance_scale=5.0).images
    images = torch.nn.functional.pixel_shuffle(samples, 2) / 2 + 0.5
    results["pixels"] = images.clamp(0, 1).permute(0, 2, 3, 1)
    for name, images in results.items():
        inside = ((images > 0) & (images < 1)).float().mean().item()
        print(f"{name}: {tuple(images.shape)}, {inside:.0%} of the values not clamped, mean {images.mean():.3f}")
    save_file({k: v.float().clone().contiguous() for k, v in results.items()}, HERE / "pipeline.safetensors")


if __name__ == "__main__":
    main()
