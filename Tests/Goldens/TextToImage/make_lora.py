"""Low-rank changes of the tiny Stable Diffusion folder in each spelling, and what diffusers and peft make of them,
on the CPU.

Usage: python make_lora.py

Needs torch, diffusers, transformers and peft; reads pipeline/ and tokenizer/, writes lora/SPELLING.safetensors, and
lora.safetensors: images (SPELLING/images), and of two spellings the merged weights that differ from the folder's
(SPELLING/NAME); those of peft and sgm are kohya's, but for one that diffusers leaves out of sgm.

The same changes in each file, as far as the spelling knows them:
  peft        unet.MODULE.lora_A.weight, alpha in the metadata
  diffusers   attention alone, unet.MODULE.processor.to_q_lora.down.weight; the text encoder's lora_linear_layer
  kohya       lora_unet_MODULE.lora_down.weight with alpha, convolutions, lora_te_
  sgm         the same with the block names of the original Stable Diffusion
"""

import json
import pathlib

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from make_pipeline import NEGATIVE, PROMPTS, STEPS, generators

HERE = pathlib.Path(__file__).parent
RANK, ALPHA, SCALE = 2, 3.0, 0.7
ATTENTION = [
    f"{block}.transformer_blocks.0.{layer}.{projection}"
    for block in ("down_blocks.0.attentions.0", "mid_block.attentions.0", "up_blocks.1.attentions.1")
    for layer in ("attn1", "attn2") for projection in ("to_q", "to_k", "to_v", "to_out.0")
]
OTHERS = [
    "down_blocks.0.attentions.0.proj_in", "down_blocks.0.attentions.0.proj_out",
    "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.2", "mid_block.resnets.1.conv1",
    "down_blocks.1.resnets.0.conv2", "down_blocks.1.resnets.0.conv_shortcut", "up_blocks.0.resnets.1.time_emb_proj",
    "down_blocks.0.downsamplers.0.conv", "up_blocks.0.upsamplers.0.conv",
]
TEXT = [
    f"encoder.layers.{layer}.{module}" for layer in (0, 1)
    for module in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
]


def pipeline():
    tokenizer = CLIPTokenizer(
        vocab=str(HERE / "tokenizer/vocab.json"), merges=str(HERE / "tokenizer/merges.txt"), model_max_length=77)
    result = StableDiffusionPipeline.from_pretrained(
        HERE / "pipeline", tokenizer=tokenizer, torch_dtype=torch.float32, safety_checker=None)
    result.set_progress_bar_config(disable=True)
    return result


def changes(module, names):
    """Down and up for each module of a network."""
    generator = torch.Generator().manual_seed(29)
    result = {}
    for name in names:
        weight = module.get_submodule(name).weight
        kernel = weight.shape[2:]
        down = torch.randn(RANK, weight.shape[1], *kernel, generator=generator) / weight[0].numel() ** 0.5
        up = 0.3 * torch.randn(weight.shape[0], RANK, *[1 for _ in kernel], generator=generator)
        result[name] = (down.half().float(), up.half().float())
    return result


def sgm_name(module):
    """Of the tiny U-Net, whose blocks have one layer each."""
    parts = module.split(".")
    kinds = {"resnets": "0", "attentions": "1"}
    if parts[0] == "mid_block":
        place = {"resnets.0": "0", "attentions.0": "1", "resnets.1": "2"}[".".join(parts[1:3])]
        start, rest = f"middle_block_{place}", parts[3:]
    else:
        block, kind, layer, rest = int(parts[1]), parts[2], int(parts[3]), parts[4:]
        if parts[0] == "down_blocks":
            start = f"input_blocks_{2 * block + layer + 1}_{kinds.get(kind)}"
            if kind == "downsamplers":
                return f"input_blocks_{2 * block + 2}_0_op"
        else:
            start = f"output_blocks_{2 * block + layer}_{kinds.get(kind)}"
            if kind == "upsamplers":  # a block without attention has it in their place
                return f"output_blocks_{2 * block + 1}_1_conv"
    inner = {"conv1": "in_layers_2", "conv2": "out_layers_3", "time_emb_proj": "emb_layers_1",
             "conv_shortcut": "skip_connection"}
    return "_".join([start, inner.get(rest[0], "_".join(rest))])


def files(unet, text):
    peft = {}
    for prefix, part in (("unet", unet), ("text_encoder.text_model", text)):
        for name, (down, up) in part.items():
            peft[f"{prefix}.{name}.lora_A.weight"], peft[f"{prefix}.{name}.lora_B.weight"] = down, up
    old = {}
    for name in ATTENTION:
        module, projection = name.replace("to_out.0", "to_out").rsplit(".", 1)
        stem = f"unet.{module}.processor.{projection}_lora"
        old[f"{stem}.down.weight"], old[f"{stem}.up.weight"] = unet[name]
    for name, (down, up) in text.items():
        stem = f"text_encoder.text_model.{name}.lora_linear_layer"
        old[f"{stem}.down.weight"], old[f"{stem}.up.weight"] = down, up

    def kohya(unet_name):
        result = {}
        for name, (down, up) in unet.items():
            stem = f"lora_unet_{unet_name(name)}"
            result |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(ALPHA)}
        for name, (down, up) in text.items():
            stem = f"lora_te_text_model_{name}".replace(".", "_")
            result |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(ALPHA)}
        return result

    metadata = {}
    for prefix, part in (("unet", unet), ("text_encoder", text)):
        metadata |= {f"{prefix}.r": RANK, f"{prefix}.lora_alpha": int(ALPHA), f"{prefix}.target_modules": sorted(part),
                     f"{prefix}.peft_type": "LORA"}
    return {
        "diffusers": (old, {"format": "pt"}),
        "kohya": (kohya(lambda name: name.replace(".", "_")), {"ss_network_alpha": "3"}),
        "peft": (peft, {"format": "pt", "lora_adapter_metadata": json.dumps(metadata, sort_keys=True)}),
        "sgm": (kohya(sgm_name), {"ss_network_alpha": "3"}),
    }


@torch.no_grad()
def main():
    base = pipeline()
    (HERE / "lora").mkdir(exist_ok=True)
    results = {}
    written = files(changes(base.unet, ATTENTION + OTHERS), changes(base.text_encoder, TEXT))
    for spelling, (tensors, metadata) in written.items():
        path = HERE / f"lora/{spelling}.safetensors"
        save_file({k: v.half().contiguous() if v.ndim else v for k, v in tensors.items()}, path, metadata=metadata)
        changed = pipeline()
        if spelling == "sgm":  # which only the pipeline of SDXL asks for
            state, alphas = changed.lora_state_dict(path, unet_config=changed.unet.config)
            changed.load_lora_into_unet(state, alphas, changed.unet)
            changed.load_lora_into_text_encoder(state, alphas, changed.text_encoder)
        else:
            changed.load_lora_weights(path)
        changed.fuse_lora(lora_scale=SCALE)
        count = 0
        for part in ("unet", "text_encoder"):
            before = dict(getattr(base, part).named_parameters())
            for name, weight in getattr(changed, part).named_parameters():
                if "lora_" in name:
                    continue
                name = name.replace(".base_layer", "")
                if torch.equal(weight, before[name]):
                    continue
                count += 1
                if part == "text_encoder" and not name.startswith("text_model."):
                    name = f"text_model.{name}"
                if spelling in ("kohya", "diffusers"):
                    results[f"{spelling}/{part}.{name}"] = weight
                else:  # the same changes as kohya's
                    torch.testing.assert_close(weight, results[f"kohya/{part}.{name}"])
        print(spelling, len(tensors), "tensors,", count, "weights changed")
        # Fused layers act as plain ones; their adapters are off.
        changed.unload_lora_weights()
        changed.text_encoder.__dict__.setdefault("text_model", changed.text_encoder)
        results[f"{spelling}/images"] = changed(
            PROMPTS, negative_prompt=NEGATIVE, generator=generators(), output_type="pt", num_inference_steps=STEPS,
            guidance_scale=5.0).images.permute(0, 2, 3, 1)
    save_file({k: v.float().clone().contiguous() for k, v in results.items()}, HERE / "lora.safetensors")


if __name__ == "__main__":
    main()
