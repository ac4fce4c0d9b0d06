"""Checkpoints as the reference writes them, and what it samples from them for recorded noise.

Usage: python checkpoints.py REFERENCE_CHECKOUT   (README.md describes the tensors)
"""

import torch

from reference import DA, DO, HERE, TO, TP, RecordedNoise, critic, gaussian, mlp, perturb, save

from model.diffusion.diffusion import DiffusionModel  # noqa: E402
from model.diffusion.diffusion_ppo import PPODiffusion  # noqa: E402
from model.diffusion.eta import EtaAction  # noqa: E402
from model.diffusion.unet import Unet1D  # noqa: E402
from model.rl.gaussian_ppo import PPO_Gaussian  # noqa: E402

B = 5
goldens = {}
COMMON = {"device": "cpu", "horizon_steps": TP, "obs_dim": DO, "action_dim": DA}
DDIM = {"denoising_steps": 20, "use_ddim": True, "ddim_steps": 5}


class Pretrained(DiffusionModel):
    """The reference's sampling passes an option that its own p_mean_var does not take."""

    def p_mean_var(self, *args, deterministic=None, **kwargs):
        return super().p_mean_var(*args, **kwargs)


def write(name, **contents):
    torch.save(contents, HERE / name)
    (HERE / name).chmod(0o644)


def sample(name, model, **options):
    with RecordedNoise() as noise, torch.no_grad():
        result = model({"state": goldens["observations"]}, **options)
    goldens[f"{name}/noise"] = noise.stacked()
    goldens[f"{name}/chunks"] = result.trajectories
    if result.chains is not None:
        goldens[f"{name}/chains"] = result.chains


torch.manual_seed(21)
goldens["observations"] = torch.rand(B, TO, DO) * 2 - 1

model = Pretrained(network=mlp(), denoising_steps=20, randn_clip_value=3,
                   final_action_clip_value=1.0, **COMMON)
states = {}
for role in ("model", "ema"):
    perturb(model)
    states[role] = {k: v.clone() for k, v in model.state_dict().items()}
    sample(f"pretrained-{role}", model)
write("pretrained.pt", epoch=3000, **states)

unet = Unet1D(action_dim=DA, cond_dim=TO * DO, diffusion_step_embed_dim=8, dim=4, dim_mults=[1, 2],
              n_groups=2, cond_predict_scale=True, smaller_encoder=True,
              groupnorm_eps=1e-4)
model = Pretrained(network=unet, randn_clip_value=3, final_action_clip_value=1.0,
                   **COMMON, **DDIM)
perturb(model)
sample("unet-ddim", model)
write("unet.pt", epoch=1, model=model.state_dict())

fine_tuning = {
    "randn_clip_value": 3, "final_action_clip_value": 1.0, "min_sampling_denoising_std": 0.1,
    "min_logprob_denoising_std": 0.1, "gamma_denoising": 0.99, "clip_ploss_coef": 0.01, **COMMON}
model = PPODiffusion(actor=mlp(), critic=critic(), ft_denoising_steps=4, denoising_steps=20,
                     **fine_tuning)
perturb(model.actor_ft)
sample("finetuned-training", model, deterministic=False)
sample("finetuned-evaluation", model, deterministic=True)
write("finetuned.pt", itr=200, model=model.state_dict())
with torch.no_grad():
    goldens["finetuned/values"] = model.critic({"state": goldens["observations"]}).view(B)

model = PPODiffusion(actor=mlp(), critic=critic(), ft_denoising_steps=3,
                     eta=EtaAction(DA, base_eta=0.4), learn_eta=True, **fine_tuning, **DDIM)
perturb(model.actor_ft)
perturb(model.eta)
sample("ddim-training", model, deterministic=False)
sample("ddim-evaluation", model, deterministic=True)
write("finetuned-ddim.pt", itr=200, model=model.state_dict())

model = PPO_Gaussian(actor=gaussian(learn_fixed_std=True), critic=critic(), clip_ploss_coef=0.01,
                     device="cpu", horizon_steps=TP)
perturb(model.actor_ft)
with torch.no_grad():
    for name, network in [("pretrained", model.actor), ("finetuned", model.actor_ft)]:
        mean, deviation = network({"state": goldens["observations"]})
        goldens[f"gaussian-{name}/mean"] = mean.view(B, TP, DA)
        goldens[f"gaussian-{name}/deviation"] = deviation.view(B, TP, DA)
write("gaussian.pt", itr=100, model=model.state_dict())

save(goldens, "checkpoints.safetensors")
