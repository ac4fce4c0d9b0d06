"""Goldens for the policies' networks, from a checkout of the DPPO reference (irom-princeton/dppo).

Usage: python networks.py REFERENCE_CHECKOUT   (needs torch, einops, safetensors; writes beside itself)

Tensors are named <case>/<role>: parameter.<name>, input.chunks, input.times, input.observations,
output (outputs of a Gaussian: mean and deviation), upstream, gradient.<parameter or input>, and
shared-output: the output when every row is at time 7. Gradients are of sum(output * upstream).
"""

import torch

from reference import DA, TP, perturb, record, save

from model.common.critic import CriticObs  # noqa: E402
from model.common.mlp_gaussian import Gaussian_MLP  # noqa: E402
from model.diffusion.mlp_diffusion import DiffusionMLP  # noqa: E402
from model.diffusion.unet import Unet1D  # noqa: E402

torch.manual_seed(5)
B, TO, DO = 5, 2, 3
goldens = {}


def denoiser(case, make, tp=TP, **options):
    module = make(action_dim=DA, cond_dim=TO * DO, **options)
    perturb(module)
    chunks = torch.randn(B, tp, DA, requires_grad=True)
    observations = torch.randn(B, TO, DO, requires_grad=True)
    times = torch.tensor([3, 19, 3, 0, 7])
    output = module(chunks, times, {"state": observations})
    record(goldens, case, module, {"output": output},
           {"chunks": chunks, "times": times.float(), "observations": observations})
    with torch.no_grad():
        goldens[f"{case}/shared-output"] = module(
            chunks, torch.full((B,), 7), {"state": observations})


def gaussian(case, **options):
    module = Gaussian_MLP(action_dim=DA, horizon_steps=TP, cond_dim=TO * DO, **options)
    perturb(module)
    observations = torch.randn(B, TO, DO, requires_grad=True)
    mean, deviation = module({"state": observations})
    outputs = {"output.mean": mean.view(B, TP, DA)}
    if deviation.requires_grad:
        outputs["output.deviation"] = deviation.view(B, TP, DA)
    else:
        goldens[f"{case}/fixed-deviation"] = deviation.view(B, TP, DA)
    record(goldens, case, module, outputs, {"observations": observations})


def critic(case, **options):
    module = CriticObs(cond_dim=TO * DO, **options)
    perturb(module)
    observations = torch.randn(B, TO, DO, requires_grad=True)
    record(goldens, case, module, {"output": module({"state": observations}).view(B)},
           {"observations": observations})


def mlp(**options):
    return DiffusionMLP(horizon_steps=TP, **options)


denoiser("mlp-residual", mlp, time_dim=16, mlp_dims=[8, 8, 8], activation_type="ReLU",
         residual_style=True)
denoiser("mlp-plain", mlp, time_dim=8, mlp_dims=[20, 12], activation_type="Mish")
denoiser("mlp-encoded", mlp, time_dim=16, mlp_dims=[8, 8, 8], activation_type="ReLU",
         cond_mlp_dims=[12, 6], residual_style=True, use_layernorm=True)
denoiser("mlp-norm", mlp, time_dim=8, mlp_dims=[16, 12], cond_mlp_dims=[10, 7],
         use_layernorm=True)

denoiser("unet-usual", Unet1D, tp=8, diffusion_step_embed_dim=8, dim=4, dim_mults=[1, 1, 1],
         kernel_size=5, n_groups=2, cond_predict_scale=True, smaller_encoder=False,
         groupnorm_eps=1e-4)
denoiser("unet-two-levels", Unet1D, tp=8, diffusion_step_embed_dim=8, dim=4, dim_mults=[1, 1],
         kernel_size=5, n_groups=2, cond_predict_scale=True, smaller_encoder=True)
denoiser("unet-encoded", Unet1D, diffusion_step_embed_dim=8, dim=4, dim_mults=[1, 2],
         kernel_size=3, n_groups=2, cond_predict_scale=False, cond_mlp_dims=[12, 6])
denoiser("unet-bare", Unet1D, tp=3, diffusion_step_embed_dim=8, dim=6, dim_mults=[1],
         kernel_size=3, n_groups=None, cond_predict_scale=False, activation_type="ReLU")

gaussian("gaussian-fixed", mlp_dims=[16, 16, 16], activation_type="ReLU", residual_style=True,
         fixed_std=0.1)
gaussian("gaussian-learned", mlp_dims=[16, 12], activation_type="Mish", fixed_std=0.1,
         learn_fixed_std=True, std_min=0.01, std_max=0.2)
gaussian("gaussian-predicted", mlp_dims=[16, 16], activation_type="ReLU", residual_style=True,
         use_layernorm=True, std_min=0.0067, std_max=7.3891, tanh_output=False)
gaussian("gaussian-predicted-plain", mlp_dims=[16, 12], activation_type="Tanh",
         use_layernorm=True)

critic("critic", mlp_dims=[16, 16, 16], activation_type="Mish", residual_style=True)
critic("critic-plain", mlp_dims=[16, 12], activation_type="ReLU", use_layernorm=True)

save(goldens, "networks.safetensors")
