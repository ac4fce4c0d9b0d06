"""Images of the tiny Stable Diffusion folder by PNDM, UniPC, DPM-Solver++ and LCM, by a U-Net that is told the
guidance scale, and by a tiny decoder, made by diffusers on the CPU.

Usage: python make_samplers.py

Needs torch, diffusers and transformers; reads pipeline/ and tokenizer/, writes samplers.json (the scheduler of
each case, as its file would say) and samplers.safetensors beside itself.
"""

import json
import pathlib

import torch
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from make_networks import draw_weights
from make_pipeline import NEGATIVE, PROMPTS, STEPS, generators

HERE = pathlib.Path(__file__).parent
CASES = {
    "pndm": (PNDMScheduler, dict(skip_prk_steps=True)),
    "pndm, runge-kutta": (PNDMScheduler, dict(skip_prk_steps=False, timestep_spacing="trailing")),
    "unipc": (UniPCMultistepScheduler, {}),
    "unipc, third order": (UniPCMultistepScheduler, dict(solver_order=3, solver_type="bh1", use_karras_sigmas=True,
                                                         final_sigmas_type="sigma_min")),
    "dpm-solver, third order": (DPMSolverMultistepScheduler, dict(solver_order=3, use_lu_lambdas=True)),
    "dpm-solver-sde": (DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")),
    "dpm-solver-sde, heun": (DPMSolverMultistepScheduler, dict(
        algorithm_type="sde-dpmsolver++", solver_type="heun", use_exponential_sigmas=True)),
    "lcm": (LCMScheduler, {}),
    "lcm, thresholding": (LCMScheduler, dict(thresholding=True, sample_max_value=1.5)),
}


@torch.no_grad()
def main():
    tokenizer = CLIPTokenizer(
        vocab=str(HERE / "tokenizer/vocab.json"), merges=str(HERE / "tokenizer/merges.txt"), model_max_length=77)
    pipeline = StableDiffusionPipeline.from_pretrained(
        HERE / "pipeline", tokenizer=tokenizer, torch_dtype=torch.float32, safety_checker=None)
    # diffusers 0.42 looks for the final norm where transformers 4 had it.
    pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
    results, schedulers = {}, {}
    base = pipeline.scheduler.config

    def generate(name, pipeline, **options):
        pipeline.set_progress_bar_config(disable=True)
        schedulers[name] = json.loads(pipeline.scheduler.to_json_string())
        images = pipeline(
            PROMPTS, generator=generators(), output_type="pt", num_inference_steps=STEPS, **options).images
        results[name] = images.permute(0, 2, 3, 1)

    for name, (kind, options) in CASES.items():
        pipeline.scheduler = kind.from_config(base, **options)
        generate(name, pipeline, negative_prompt=NEGATIVE, guidance_scale=5.0)

    unet = UNet2DConditionModel.from_config({**pipeline.unet.config, "time_cond_proj_dim": 8}).eval()
    draw_weights(unet)
    parts = {**pipeline.components, "unet": unet, "scheduler": LCMScheduler.from_config(base)}
    distilled = LatentConsistencyModelPipeline(
        **{k: v for k, v in parts.items() if k != "image_encoder"}, requires_safety_checker=False)
    generate("distilled, 7.5", distilled, guidance_scale=7.5)
    generate("distilled, 1", StableDiffusionPipeline(**parts, requires_safety_checker=False), guidance_scale=1.0)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=[8, 8], decoder_block_out_channels=[8, 8], num_encoder_blocks=[1, 1],
        num_decoder_blocks=[1, 1]).eval()
    draw_weights(tiny)
    parts = {**pipeline.components, "vae": tiny, "scheduler": DDIMScheduler.from_config(base)}
    generate("tiny decoder", StableDiffusionPipeline(**parts, requires_safety_checker=False),
             negative_prompt=NEGATIVE, guidance_scale=5.0)
    for name, images in results.items():
        inside = ((images > 0) & (images < 1)).float().mean().item()
        print(f"{name}: {tuple(images.shape)}, {inside:.0%} of the values not clamped, mean {images.mean():.3f}")
    (HERE / "samplers.json").write_text(json.dumps(schedulers, indent=1) + "\n")
    save_file({k: v.float().clone().contiguous() for k, v in results.items()}, HERE / "samplers.safetensors")


if __name__ == "__main__":
    main()
