"""Goldens of DPPO's networks on images: the ViT, its SpatialEmb, the heads behind them, and the random shift.

Usage: python vision.py REFERENCE_CHECKOUT   (needs torch, einops, safetensors; writes beside itself)

Weights, images, states and chunks are not stored: both sides draw them from torch.Generator, weights in the order of
their names. Tensors are named <case>/<role>: output, gradient.<parameter> (of sum(output * upstream)), and in the
large case gradient.<parameter>.sample, every STRIDEth element. Networks run in double precision.
"""

import math

import torch

from reference import save

from model.common.critic import ViTCritic  # noqa: E402
from model.common.mlp_gaussian import Gaussian_VisionMLP  # noqa: E402
from model.common.modules import RandomShiftsAug  # noqa: E402
from model.common.vit import VitEncoder, VitEncoderConfig  # noqa: E402
from model.diffusion.mlp_diffusion import VisionDiffusionMLP  # noqa: E402
from model.diffusion.unet import VisionUnet1D  # noqa: E402

WEIGHT_SEED, INPUT_SEED, STRIDE = 7, 11, 997
B, TP, DA = 3, 4, 2
goldens = {}

# The networks turn images to single precision.
single = torch.Tensor.float
torch.Tensor.float = torch.Tensor.double


def draw_weights(module):
    generator = torch.Generator().manual_seed(WEIGHT_SEED)
    with torch.no_grad():
        for name, weight in sorted(module.named_parameters()):
            if not weight.requires_grad:
                continue
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim > 1:
                values *= 1 / math.sqrt(math.prod(weight.shape[1:]))
            else:
                values = values * 0.1 + (1 if name.endswith("weight") else 0)
            weight.copy_(values)


def backbone(height, width, channels, **keys):
    return VitEncoder([channels, height, width], VitEncoderConfig(**keys), num_channel=channels,
                      img_h=height, img_w=width)


def draw_observations(generator, height, width, steps, cameras, state_size):
    """uint8 [B, To, C, H, W], the channels of cameras one after another, and states [B, To, Do]."""
    images = [(torch.randn(B, steps, height, width, 3, generator=generator) * 64 + 128).clamp(0, 255).floor()
              for _ in range(cameras)]
    state = torch.randn(B, steps, state_size, generator=generator).double()
    return {"rgb": torch.cat(images, -1).permute(0, 1, 4, 2, 3).double(), "state": state}


def record(case, module, output, upstream, samples):
    goldens[f"{case}/output"] = output
    (output * upstream).sum().backward()
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        gradient = parameter.grad
        if samples:
            goldens[f"{case}/gradient.{name}.sample"] = gradient.flatten()[::STRIDE]
        else:
            goldens[f"{case}/gradient.{name}"] = gradient


def policy(case, height, width, *, steps=1, image_steps=1, cameras=1, state_size=3, spatial=6, hidden=8, samples=False,
           **keys):
    module = VisionDiffusionMLP(
        backbone(height, width, 3 * image_steps, **keys), action_dim=DA, horizon_steps=TP, cond_dim=steps * state_size,
        img_cond_steps=image_steps, time_dim=8, mlp_dims=[hidden] * 3, activation_type="ReLU", residual_style=True,
        spatial_emb=spatial, num_img=cameras)
    draw_weights(module)
    module.double()
    generator = torch.Generator().manual_seed(INPUT_SEED)
    observations = draw_observations(generator, height, width, steps, cameras, state_size)
    chunks = torch.randn(B, TP, DA, generator=generator).double()
    upstream = torch.randn(B, TP, DA, generator=generator).double()
    times = torch.tensor([3, 19, 7]).double()
    record(case, module, module(chunks, times, observations), upstream, samples)


def unet(case, height, width, *, state_size=3, **keys):
    module = VisionUnet1D(
        backbone(height, width, 3, **keys), action_dim=DA, cond_dim=state_size, diffusion_step_embed_dim=8, dim=4,
        dim_mults=[1, 2], kernel_size=3, n_groups=2, cond_predict_scale=True, spatial_emb=6)
    draw_weights(module)
    module.double()
    generator = torch.Generator().manual_seed(INPUT_SEED)
    observations = draw_observations(generator, height, width, 1, 1, state_size)
    chunks = torch.randn(B, TP, DA, generator=generator).double()
    upstream = torch.randn(B, TP, DA, generator=generator).double()
    times = torch.tensor([3, 19, 7]).double()
    record(case, module, module(chunks, times, observations), upstream, False)


def gaussian(case, height, width, *, state_size=3, **keys):
    module = Gaussian_VisionMLP(
        backbone(height, width, 3, **keys), action_dim=DA, horizon_steps=TP, cond_dim=state_size, mlp_dims=[8, 8, 8],
        activation_type="ReLU", residual_style=True, fixed_std=0.1, learn_fixed_std=True, spatial_emb=6)
    draw_weights(module)
    module.double()
    generator = torch.Generator().manual_seed(INPUT_SEED)
    observations = draw_observations(generator, height, width, 1, 1, state_size)
    upstream = torch.randn(B, TP, DA, generator=generator).double()
    mean, deviation = module(observations)
    # Both in one output: the log of the deviation is the same everywhere.
    output = mean.view(B, TP, DA) + deviation.view(B, TP, DA).log()
    record(case, module, output, upstream, False)


def critic(case, height, width, *, cameras=1, state_size=3, **keys):
    module = ViTCritic(
        backbone(height, width, 3, **keys), cond_dim=state_size, spatial_emb=6, num_img=cameras, mlp_dims=[8, 8, 8],
        activation_type="Mish", residual_style=True)
    draw_weights(module)
    module.double()
    generator = torch.Generator().manual_seed(INPUT_SEED)
    observations = draw_observations(generator, height, width, 1, cameras, state_size)
    upstream = torch.randn(B, generator=generator).double()
    record(case, module, module(observations).view(B), upstream, False)


def shifts():
    """Whole images after the reference's random shift, which interpolates at whole pixels, and what it drew."""
    pad, size = 4, 12
    generator = torch.Generator().manual_seed(INPUT_SEED)
    images = (torch.randn(8, size, size, 3, generator=generator) * 64 + 128).clamp(0, 255).floor()
    drawn = []
    randint = torch.randint

    def keeping(*args, **keys):
        drawn.append(randint(*args, **keys))
        return drawn[-1].clone()

    torch.randint = keeping
    torch.manual_seed(3)
    shifted = RandomShiftsAug(pad)(images.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    torch.randint = randint
    assert (shifted - shifted.round()).abs().max() < 1e-2
    goldens["shift/images"] = shifted.round().to(torch.int64)
    # x, then y, from 0 to 2 pad.
    goldens["shift/draws"] = drawn[0].view(8, 2).to(torch.int64)


SMALL = dict(embed_dim=8, num_heads=2)
policy("vit", 24, 24, **SMALL)
policy("vit-history", 24, 24, steps=3, image_steps=2, depth=2, embed_norm=1, **SMALL)
policy("vit-cameras", 24, 32, steps=2, image_steps=2, cameras=2, **SMALL)
policy("vit-embed1", 16, 24, embed_style="embed1", **SMALL)
policy("vit-96", 96, 96, state_size=9, spatial=128, hidden=32, samples=True)
unet("unet", 24, 24, **SMALL)
gaussian("gaussian", 24, 24, **SMALL)
critic("critic", 24, 24, **SMALL)
critic("critic-cameras", 24, 24, cameras=2, **SMALL)
shifts()

torch.Tensor.float = single
save(goldens, "vision.safetensors")
