"""A fine-tuned policy on images as the reference writes it, what it samples, and twenty updates of it.

Usage: python vision_update.py REFERENCE_CHECKOUT   (needs torch, einops, safetensors; writes beside itself)

pixels.pt: two cameras of 24 x 24, DDIM, 5 of 20 steps, K' = 3, with a critic. vision-update.safetensors, of it:
checkpoint/state [B, 1, Do], noise [1 + 5, B, Tp, Da], chunks, chains and values [B]; images are drawn from
torch.Generator. Of the update of one camera, update/...: before.actor.*, before.actor_ft.*, before.critic.*, states,
chains, old-log-probabilities, returns, old-values, advantages, minibatches, policy-loss, value-loss, gradient.* of the
first minibatch and after.* of all twenty, as in dppo-update.safetensors.
"""

import torch

from reference import DA, DO, HERE, TP, RecordedNoise, perturb, save

from model.common.critic import ViTCritic  # noqa: E402
from model.common.vit import VitEncoder, VitEncoderConfig  # noqa: E402
from model.diffusion.diffusion_ppo import PPODiffusion  # noqa: E402
from model.diffusion.eta import EtaFixed  # noqa: E402
from model.diffusion.mlp_diffusion import VisionDiffusionMLP  # noqa: E402

INPUT_SEED, B, N, BATCH, STEPS, SIZE = 11, 5, 16, 16, 20, 24
goldens = {}


def backbone():
    return VitEncoder([3, SIZE, SIZE], VitEncoderConfig(embed_dim=8, num_heads=2), num_channel=3, img_h=SIZE,
                      img_w=SIZE)


def model(cameras):
    actor = VisionDiffusionMLP(
        backbone(), action_dim=DA, horizon_steps=TP, cond_dim=DO, time_dim=8, mlp_dims=[16, 16, 16],
        activation_type="ReLU", residual_style=True, spatial_emb=6, num_img=cameras)
    critic = ViTCritic(backbone(), cond_dim=DO, spatial_emb=6, num_img=cameras, mlp_dims=[16, 16, 16],
                       activation_type="Mish", residual_style=True)
    result = PPODiffusion(
        actor=actor, critic=critic, ft_denoising_steps=3, device="cpu", horizon_steps=TP, obs_dim=DO, action_dim=DA,
        final_action_clip_value=1.0, randn_clip_value=3, min_sampling_denoising_std=0.1,
        min_logprob_denoising_std=0.1, gamma_denoising=0.99, clip_ploss_coef=0.02, clip_ploss_coef_base=0.02,
        denoising_steps=20, use_ddim=True, ddim_steps=5,
        eta=EtaFixed(base_eta=1.0, input_dim=DO, mlp_dims=[4], action_dim=DA))
    perturb(result.actor_ft, 0.05)
    perturb(result.critic)
    return result


def observations(count, cameras):
    generator = torch.Generator().manual_seed(INPUT_SEED)
    images = [(torch.randn(count, 1, SIZE, SIZE, 3, generator=generator) * 64 + 128).clamp(0, 255).floor()
              for _ in range(cameras)]
    return {"state": torch.rand(count, 1, DO) * 2 - 1, "rgb": torch.cat(images, -1).permute(0, 1, 4, 2, 3)}


torch.manual_seed(31)
policy = model(cameras=2)
cond = observations(B, 2)
with RecordedNoise() as noise, torch.no_grad():
    sample = policy(cond, deterministic=False)
    goldens["checkpoint/values"] = policy.critic(cond).view(B)
goldens["checkpoint/state"] = cond["state"]
goldens["checkpoint/noise"] = noise.stacked()
goldens["checkpoint/chunks"] = sample.trajectories
goldens["checkpoint/chains"] = sample.chains
torch.save({"itr": 100, "model": policy.state_dict()}, HERE / "pixels.pt")
(HERE / "pixels.pt").chmod(0o644)

torch.manual_seed(32)
policy = model(cameras=1)
cond = observations(N, 1)
K = policy.ft_denoising_steps
data = {
    "state": cond["state"], "returns": torch.randn(N), "old-values": torch.randn(N),
    "advantages": torch.randn(N) * 2 + 0.3,
    "minibatches": torch.cat([torch.randperm(N * K) for _ in range(8)])[:STEPS * BATCH].view(STEPS, BATCH),
}
with torch.no_grad():
    data["chains"] = policy(cond, deterministic=False).chains
    data["old-log-probabilities"] = policy.get_logprobs(cond, data["chains"]).view(N, K, TP, DA)
perturb(policy.actor_ft, 0.01)
for name, value in data.items():
    goldens[f"update/{name}"] = value


def put(moment):
    for role in ("actor", "actor_ft", "critic"):
        if (moment, role) == ("after", "actor"):
            continue
        for name, value in getattr(policy, role).state_dict().items():
            goldens[f"update/{moment}.{role}.{name}"] = value.clone()


put("before")
actor_optimizer = torch.optim.AdamW(policy.actor_ft.parameters(), lr=1e-3, weight_decay=0)
critic_optimizer = torch.optim.AdamW(policy.critic.parameters(), lr=3e-3, weight_decay=0)
losses = []
for index, indices in enumerate(data["minibatches"]):
    rows, steps = torch.unravel_index(indices, (N, K))
    parts = policy.loss(
        {key: value[rows] for key, value in cond.items()}, data["chains"][rows, steps], data["chains"][rows, steps + 1],
        steps, data["returns"][rows], data["old-values"][rows], data["advantages"][rows].clone(),
        data["old-log-probabilities"][rows, steps], reward_horizon=3)
    losses.append([parts[0].item(), parts[2].item()])
    policy.zero_grad()
    (parts[0] + 0.5 * parts[2]).backward()
    if index == 0:
        for role in ("actor_ft", "critic"):
            for name, parameter in getattr(policy, role).named_parameters():
                goldens[f"update/gradient.{role}.{name}"] = parameter.grad.clone()
    actor_optimizer.step()
    critic_optimizer.step()
put("after")
goldens["update/policy-loss"], goldens["update/value-loss"] = torch.tensor(losses).T
print("policy loss", losses[0][0], "to", losses[-1][0])
save(goldens, "vision-update.safetensors")
