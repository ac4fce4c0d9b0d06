"""Goldens of the reference's Gaussian mixtures: network, density, cloning, PPO, a checkpoint.

Usage: python gmm.py REFERENCE_CHECKOUT   (README.md describes the tensors)

The reference's log-probability of a mixture is that of the whole chunk, and PPO_GMM clamps it to
[-5, 2] as PPO_Gaussian clamps its average over the chunk's elements. Attune takes the same average of
both. The classes below change that and nothing else; `print_clamped` shows what the clamp does to the
reference's own updates.
"""

import copy

import torch

import dppo_update
from dppo_update import begin, pretraining, variant
from reference import DA, DO, HERE, TO, TP, critic, perturb, record, save

from model.common.gmm import GMMModel  # noqa: E402
from model.common.mlp_gmm import GMM_MLP  # noqa: E402
from model.rl.gmm_ppo import PPO_GMM  # noqa: E402

B, MODES, N = 5, 3, 16
goldens = dppo_update.goldens


class MeanMixture(GMMModel):
    def loss(self, *args, **kwargs):
        loss, information = super().loss(*args, **kwargs)
        return loss / (TP * DA), {"entropy": information["entropy"] / (TP * DA)}


class MeanPPO(PPO_GMM):
    def __init__(self, actor, **options):
        super().__init__(actor=actor, **options)
        self.actor = copy.deepcopy(actor)
        for parameter in self.actor.parameters():
            parameter.requires_grad = False

    def get_logprobs(self, cond, actions):
        log_prob, entropy, std = super().get_logprobs(cond, actions)
        return log_prob / (TP * DA), entropy / (TP * DA), std


def mixture(**options):
    settings = {"mlp_dims": [16, 16, 16], "activation_type": "ReLU", "residual_style": True}
    return GMM_MLP(action_dim=DA, horizon_steps=TP, cond_dim=TO * DO, num_modes=MODES,
                   **(settings | options))


def outputs(module, observations):
    means, scales, logits = module({"state": observations})
    shape = (B, MODES, TP, DA)
    return {"output.mean": means.view(shape), "output.deviation": scales.view(shape),
            "output.logits": logits}


def network(case, **options):
    module = mixture(**options)
    perturb(module)
    observations = torch.randn(B, TO, DO, requires_grad=True)
    values = outputs(module, observations)
    if not values["output.deviation"].requires_grad:
        goldens[f"{case}/fixed-deviation"] = values.pop("output.deviation")
    record(goldens, case, module, values, {"observations": observations})
    observations = observations.detach()

    model = GMMModel(network=module, horizon_steps=TP, device="cpu")
    # Chunks near one mode, between modes and far from all.
    chunks = torch.rand(B, TP, DA) * 2 - 1
    chunks[:2] = values["output.mean"].detach()[[0, 1], [2, 0]] + 0.05 * torch.randn(2, TP, DA)
    goldens[f"{case}/chunks"] = chunks
    dist, entropy, _ = model.forward_train({"state": observations})
    goldens[f"{case}/log-probability"] = dist.log_prob(chunks.view(B, -1))
    goldens[f"{case}/entropy"] = entropy
    goldens[f"{case}/modes"] = dist.mixture_distribution.probs
    low_noise, _, _ = model.forward_train({"state": observations}, deterministic=True)
    goldens[f"{case}/evaluation-deviation"] = low_noise.component_distribution.base_dist.scale.max()
    for role in ("loss", "entropy"):
        module.zero_grad()
        dist, entropy, _ = model.forward_train({"state": observations})
        value = -dist.log_prob(chunks.view(B, -1)).mean() if role == "loss" else entropy
        goldens[f"{case}/{role}"] = value
        if value.requires_grad:
            value.backward()
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                gradient = parameter.grad
                goldens[f"{case}/gradient-of-{role}.{name}"] = (
                    torch.zeros_like(parameter) if gradient is None else gradient.clone())


def print_clamped(model, data):
    """The fraction of decisions whose log-probability the reference clamps, at its first minibatch."""
    plain = PPO_GMM(actor=copy.deepcopy(model.actor_ft), critic=copy.deepcopy(model.critic),
                    clip_ploss_coef=0.05, device="cpu", horizon_steps=TP)
    cond = {"state": data["observations"]}
    new = plain.get_logprobs(cond, data["actions"])[0]
    old = data["old-log-probabilities"] * (TP * DA)
    loss = plain.loss(cond, data["actions"], data["returns"], data["old-values"],
                      data["advantages"].clone(), old)[0]
    plain.zero_grad()
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in plain.actor_ft.parameters()
                          if p.grad is not None])
    print(f"  reference: {float(((new < -5) | (new > 2)).float().mean()):.2f} of the log-probabilities "
          f"({new.min():.1f} to {new.max():.1f}) clamped, policy gradient {float(gradient.norm()):.2g}")


torch.manual_seed(31)
network("gmm-fixed", fixed_std=0.1)
network("gmm-learned", fixed_std=0.1, learn_fixed_std=True, std_max=0.2, mlp_dims=[16, 12],
        activation_type="Mish", residual_style=False, use_layernorm=True)
network("gmm-predicted", std_min=0.9, std_max=1.05)

torch.manual_seed(32)
for name, options in [("fixed", {}), ("learned", {"learn_fixed_std": True, "std_max": 0.2})]:
    model = MeanPPO(actor=mixture(fixed_std=0.1, **options), critic=critic(), clip_ploss_coef=0.05,
                    device="cpu", horizon_steps=TP)
    group = f"gmm-ppo-{name}"
    data = begin(group, model, N)
    print_clamped(model, data)
    variant(f"{group}/default", model, data, ent_coef=0.02 if name == "learned" else 0.0)
    if name == "fixed":
        variant(f"{group}/value-clip", model, data, {"clip_vloss_coef": 0.2})

torch.manual_seed(33)
pretraining("gmm-pretraining", MeanMixture(
    network=mixture(fixed_std=0.1, learn_fixed_std=True), horizon_steps=TP, device="cpu"))

torch.manual_seed(34)
model = PPO_GMM(actor=mixture(fixed_std=0.1, learn_fixed_std=True, std_max=0.2), critic=critic(),
                clip_ploss_coef=0.01, device="cpu", horizon_steps=TP)
perturb(model.actor_ft)
with torch.no_grad():
    goldens["gmm-checkpoint/observations"] = torch.rand(B, TO, DO) * 2 - 1
    for name, value in outputs(model.actor_ft, goldens["gmm-checkpoint/observations"]).items():
        goldens[f"gmm-checkpoint/{name}"] = value
torch.save({"itr": 150, "model": model.state_dict()}, HERE / "gmm.pt")
(HERE / "gmm.pt").chmod(0o644)

save(goldens, "gmm.safetensors")
