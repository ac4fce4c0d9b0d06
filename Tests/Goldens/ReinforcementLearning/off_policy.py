"""Writes off-policy.safetensors: a squashed Gaussian, a temperature and the loss of critics by PyTorch.

Usage: python off_policy.py   (needs torch, safetensors)

`actor/...`: weights by the names of Stable-Baselines3, `observations` [N, O], `noise` [N, A], and of
a = tanh(mu + std noise) `actions` and `log-probabilities`, whose densities are those of
torch.distributions, with `gradient.*` of sum(actions upstream) + sum(log-probabilities).
`temperature/...`: `log-probabilities` [8, N], and alpha after each of 8 steps of Adam (1e-2).
`critic/...`: values of two critics, rewards, discounts, next values and log-probabilities [N], alpha 0.3,
and Stable-Baselines3's loss.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import distributions, nn

torch.manual_seed(3)
N, O, A, WIDTH = 7, 5, 3, 8
goldens = {}


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        self.norm_1 = nn.LayerNorm(outputs)

    def forward(self, x):
        return torch.tanh(self.norm_1(self.linear_1(x)))


class Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.moduleList = nn.ModuleList([Block(O, WIDTH), Block(WIDTH, WIDTH)])

    def forward(self, x):
        for block in self.moduleList:
            x = block(x)
        return x


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.latent_pi = Trunk()
        self.mu = nn.Linear(WIDTH, A)
        self.log_std = nn.Linear(WIDTH, A)


actor = Actor()
with torch.no_grad():
    for parameter in actor.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
observations = torch.randn(N, O)
noise = torch.randn(N, A)
upstream = torch.randn(N, A)
features = actor.latent_pi(observations)
mean, std = actor.mu(features), actor.log_std(features).clamp(-20, 2).exp()
squashed = distributions.TransformedDistribution(
    distributions.Normal(mean, std), distributions.TanhTransform(cache_size=1))
actions = squashed.transforms[0](mean + std * noise)
log_probabilities = squashed.log_prob(actions).sum(dim=1)
((actions * upstream).sum() + log_probabilities.sum()).backward()
for name, parameter in actor.named_parameters():
    goldens[f"actor/parameter.{name}"] = parameter
    goldens[f"actor/gradient.{name}"] = parameter.grad
goldens |= {
    "actor/observations": observations, "actor/noise": noise, "actor/upstream": upstream,
    "actor/actions": actions, "actor/log-probabilities": log_probabilities,
}

log_alpha = torch.tensor([0.5]).log().requires_grad_()
optimizer = torch.optim.Adam([log_alpha], lr=1e-2)
draws = torch.randn(8, N) * 2 - 1
alphas = []
for row in draws:
    loss = -(log_alpha * (row + 0.7)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    alphas.append(log_alpha.exp().item())
goldens |= {"temperature/log-probabilities": draws, "temperature/after": torch.tensor(alphas)}

values = torch.randn(2, N)
rewards, next_values, next_logs = torch.randn(3, N)
discounts = torch.tensor([0.9, 0.0, 0.81, 0.9, 0.0, 0.9, 0.9])
targets = rewards + discounts * (next_values - 0.3 * next_logs)
goldens |= {
    "critic/values": values, "critic/rewards": rewards, "critic/next-values": next_values,
    "critic/next-log-probabilities": next_logs, "critic/discounts": discounts,
    "critic/targets": targets, "critic/loss": 0.5 * sum(F.mse_loss(q, targets) for q in values),
}

path = pathlib.Path(__file__).parent / "off-policy.safetensors"
save_file({k: v.detach().float().clone().contiguous() for k, v in goldens.items()}, path)
path.chmod(0o644)
