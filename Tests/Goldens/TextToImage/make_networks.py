"""Goldens for U-Nets, autoencoders and text encoders at small sizes, made on the CPU.

Usage: python make_networks.py

Needs torch, diffusers and transformers; writes networks.json (what config.json says for each case, its
inputs and options) and networks.safetensors (results) beside itself. Weights and inputs are not stored:
both sides draw them from torch.Generator, weights in the order of their names.
"""

import json
import math
import pathlib

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, LatentConsistencyModelPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)
WEIGHT_SEED, INPUT_SEED = 7, 11
CROSS_DOWN, DOWN = "CrossAttnDownBlock2D", "DownBlock2D"
CROSS_UP, UP = "CrossAttnUpBlock2D", "UpBlock2D"
SMALL = dict(
    sample_size=8, block_out_channels=[16, 32], down_block_types=[CROSS_DOWN, DOWN],
    up_block_types=[UP, CROSS_UP], layers_per_block=1, norm_num_groups=4, attention_head_dim=2,
    cross_attention_dim=12,
)

UNETS = {
    "stable-diffusion-1": dict(
        block_out_channels=[16, 32, 48, 48], down_block_types=[CROSS_DOWN] * 3 + [DOWN],
        up_block_types=[UP] + [CROSS_UP] * 3, layers_per_block=2, attention_head_dim=8, norm_num_groups=8,
    ),
    "stable-diffusion-2": dict(
        block_out_channels=[16, 32, 64], down_block_types=[CROSS_DOWN] * 2 + [DOWN],
        up_block_types=[UP, CROSS_UP, CROSS_UP], layers_per_block=2, attention_head_dim=[1, 2, 4],
        use_linear_projection=True, upcast_attention=True,
    ),
    "three channels, heads that do not divide": dict(
        in_channels=3, out_channels=6, block_out_channels=[20, 36], attention_head_dim=3,
        down_block_types=[CROSS_DOWN] * 2, up_block_types=[CROSS_UP] * 2),
    "without attention": dict(
        down_block_types=[DOWN] * 2, up_block_types=[UP] * 2, mid_block_type="UNetMidBlock2D"),
    "no middle": dict(mid_block_type=None),
    "scale and shift": dict(resnet_time_scale_shift="scale_shift", layers_per_block=[2, 1], act_fn="gelu"),
    "class table": dict(num_class_embeds=5),
    "class time step": dict(class_embed_type="timestep", act_fn="mish"),
    "class identity": dict(class_embed_type="identity", time_embedding_dim=24),
    "class projection": dict(
        class_embed_type="projection", projection_class_embeddings_input_dim=6, class_embeddings_concat=True),
    "class simple projection": dict(
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=6),
    "only cross attention": dict(
        only_cross_attention=[True, False], down_block_types=[CROSS_DOWN] * 2, up_block_types=[CROSS_UP] * 2),
    "transformer layers": dict(
        transformer_layers_per_block=[1, 2], reverse_transformer_layers_per_block=[1, 3],
        down_block_types=[CROSS_DOWN] * 2, up_block_types=[CROSS_UP] * 2, cross_attention_dim=[12, 12]),
    "padding, kernels and scales": dict(
        downsample_padding=0, conv_in_kernel=1, conv_out_kernel=5, center_input_sample=True,
        mid_block_scale_factor=2.0, norm_eps=1e-3),
    "time embedding": dict(
        flip_sin_to_cos=False, freq_shift=1, time_embedding_dim=20, time_embedding_act_fn="silu",
        timestep_post_act="mish", act_fn="relu"),
    "projected prompt": dict(encoder_hid_dim=10, encoder_hid_dim_type="text_proj"),
    "told the guidance scale": dict(time_cond_proj_dim=8),
}
GUIDANCE = {"told the guidance scale": 7.5}
SIZES = {"three channels, heads that do not divide": (6, 7), "stable-diffusion-2": (10, 14)}
TIMES = {"class table": [3.0, 921.0], "scale and shift": [999.0, 0.0]}

AUTOENCODERS = {
    "two blocks": dict(block_out_channels=[16, 32]),
    "one block": dict(block_out_channels=[8], in_channels=1, out_channels=1, act_fn="mish"),
    "no convolutions around": dict(
        block_out_channels=[8, 16], use_quant_conv=False, use_post_quant_conv=False, latent_channels=6,
        shift_factor=0.1, scaling_factor=0.3611),
    "no attention": dict(block_out_channels=[8, 8, 16], layers_per_block=2, mid_block_add_attention=False),
    "tiles": dict(block_out_channels=[16, 16, 16], sample_size=32),
}
IMAGES = {"tiles": (44, 60)}

TINY_AUTOENCODERS = {
    "taesd": dict(encoder_block_out_channels=[8] * 4, decoder_block_out_channels=[8] * 4),
    "sixteen channels, fewer blocks": dict(
        encoder_block_out_channels=[8, 8], decoder_block_out_channels=[12, 12], num_encoder_blocks=[1, 2],
        num_decoder_blocks=[2, 1], latent_channels=16, act_fn="silu", scaling_factor=0.4, shift_factor=0.1),
}

TEXTS = {
    "legacy end token": dict(hidden_act="quick_gelu", eos_token_id=2),
    "gelu": dict(hidden_act="gelu", eos_token_id=49, layer_norm_eps=1e-3),
    "projection": dict(hidden_act="gelu", eos_token_id=49, projection_dim=20, projected=True),
    "short": dict(hidden_act="quick_gelu", eos_token_id=48, max_position_embeddings=9, num_hidden_layers=1),
    "no layers": dict(hidden_act="quick_gelu", eos_token_id=7, num_hidden_layers=0, projected=True),
}
TOKENS = [[48, 3, 17, 4, 49, 49, 49, 49, 49], [48, 9, 30, 22, 5, 12, 1, 40, 49]]


def draw_weights(model):
    generator = torch.Generator().manual_seed(WEIGHT_SEED)
    for name, weight in sorted(model.state_dict().items()):
        values = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            values *= 1 / math.sqrt(math.prod(weight.shape[1:]))
        else:
            values = values * 0.1 + (1 if name.endswith("weight") else 0)
        weight.copy_(values)


def configuration(model, keys):
    """What the file would say, as far as it differs from the defaults or is in the case."""
    return {"_class_name": type(model).__name__, **keys}


def channels_last(x):
    return x.permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def main():
    cases, results = {"unets": {}, "autoencoders": {}, "tiny autoencoders": {}, "texts": {}}, {}
    for name, keys in UNETS.items():
        keys = {**SMALL, **keys}
        model = UNet2DConditionModel(**keys).eval()
        draw_weights(model)
        generator = torch.Generator().manual_seed(INPUT_SEED)
        height, width = SIZES.get(name, (8, 8))
        sample = torch.randn(2, model.config.in_channels, height, width, generator=generator)
        prompt = torch.randn(2, 7, keys.get("encoder_hid_dim", 12), generator=generator)
        times = TIMES.get(name, [601.0])
        kind, classes = keys.get("class_embed_type"), None
        if "num_class_embeds" in keys:
            classes = torch.tensor([4, 0])
        elif kind == "timestep":
            classes = torch.tensor([3.0, 77.0])
        elif kind is not None:
            classes = torch.randn(2, 24 if kind == "identity" else 6, generator=generator)
        condition = None
        if name in GUIDANCE:
            condition = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
                None, torch.tensor([GUIDANCE[name] - 1]), embedding_dim=keys["time_cond_proj_dim"])
        output = model(sample, torch.tensor(times if len(times) > 1 else times[0]), prompt, class_labels=classes,
                       timestep_cond=condition).sample
        cases["unets"][name] = dict(configuration=configuration(model, keys), height=height, width=width, times=times)
        if name in GUIDANCE:
            cases["unets"][name]["guidance"] = GUIDANCE[name]
        results[f"unets/{name}"] = channels_last(output)
    for name, keys in AUTOENCODERS.items():
        count = len(keys["block_out_channels"])
        keys = {**dict(norm_num_groups=4, sample_size=16), **keys}
        keys |= dict(down_block_types=["DownEncoderBlock2D"] * count, up_block_types=["UpDecoderBlock2D"] * count)
        model = AutoencoderKL(**keys).eval()
        draw_weights(model)
        generator = torch.Generator().manual_seed(INPUT_SEED)
        height, width = IMAGES.get(name, (8, 12))
        images = torch.randn(2, model.config.in_channels, height, width, generator=generator)
        if name == "tiles":
            model.enable_tiling()
        distribution = model.encode(images).latent_dist
        latents = torch.randn(distribution.mean.shape, generator=generator)
        cases["autoencoders"][name] = dict(configuration=configuration(model, keys), height=height, width=width)
        results[f"autoencoders/{name}/mean"] = channels_last(distribution.mean)
        results[f"autoencoders/{name}/logvar"] = channels_last(distribution.logvar)
        results[f"autoencoders/{name}/image"] = channels_last(model.decode(latents).sample)
    for name, keys in TINY_AUTOENCODERS.items():
        model = AutoencoderTiny(**keys).eval()
        draw_weights(model)
        generator = torch.Generator().manual_seed(INPUT_SEED)
        images = torch.randn(2, 3, 16, 24, generator=generator)
        latents = model.encode(images).latents
        # Large ones too, which the decoder bends.
        noise = 3 * torch.randn(latents.shape, generator=generator)
        cases["tiny autoencoders"][name] = dict(configuration=configuration(model, keys))
        results[f"tiny autoencoders/{name}/latents"] = channels_last(latents)
        results[f"tiny autoencoders/{name}/image"] = channels_last(model.decode(noise).sample)
    for name, keys in TEXTS.items():
        keys = {**dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
                       num_attention_heads=4, max_position_embeddings=12, bos_token_id=48), **keys}
        kind = CLIPTextModelWithProjection if keys.pop("projected", False) else CLIPTextModel
        model = kind(CLIPTextConfig(**keys)).eval()
        # The names of transformers 4, which all versions read.
        state = model.state_dict()
        prefix = "" if kind is CLIPTextModelWithProjection else "text_model."
        generator = torch.Generator().manual_seed(WEIGHT_SEED)
        for key, weight in sorted((prefix + key, weight) for key, weight in state.items()):
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim > 1:
                values *= 1 / math.sqrt(math.prod(weight.shape[1:]))
            else:
                values = values * 0.1 + (1 if key.endswith("weight") else 0)
            weight.copy_(values)
        ids = torch.tensor(TOKENS)
        text = model.text_model if kind is CLIPTextModelWithProjection else model
        output = text(ids, output_hidden_states=True)
        cases["texts"][name] = dict(configuration={"architectures": [kind.__name__], **keys}, tokens=TOKENS)
        results[f"texts/{name}/hidden"] = output.last_hidden_state
        results[f"texts/{name}/pooled"] = output.pooler_output
        if keys["num_hidden_layers"] > 2:
            results[f"texts/{name}/skipping two"] = text.final_layer_norm(output.hidden_states[-3])
        if kind is CLIPTextModelWithProjection:
            results[f"texts/{name}/projected"] = model(ids).text_embeds
    (HERE / "networks.json").write_text(json.dumps(cases, indent=1) + "\n")
    save_file({k: v.clone().contiguous() for k, v in results.items()}, HERE / "networks.safetensors")


if __name__ == "__main__":
    main()
