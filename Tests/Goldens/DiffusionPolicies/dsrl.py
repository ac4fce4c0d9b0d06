"""Goldens of DSRL's updates: the order of operations of Stable-Baselines3's SAC with noise for actions,
and of DSRL-NA as its authors' class has it, around the denoising of the DPPO reference.

Usage: python dsrl.py REFERENCE_CHECKOUT

dsrl.safetensors, for each variant `<variant>/...` (`noise-aliasing`, `sac`, both with two critics of 8^2, tanh
and LayerNorm; `minimum`): `before.*` and `after.*` of `actor`, `critics`, `targets`, `noise-critics` and
`temperature`; of each of 4 updates batches `observations` `[4, N, O]`, `actions`, `rewards`, `discounts`,
`next-observations`, draws `next-noise` and `present-noise` `[4, N, A]`, and `critic-loss`, `actor-loss`; after
the second and the fourth update two distillations, in all `distill.observations` and `distill.noise`
`[4, N, ...]` and `distill-loss`. `network.*` is the policy: K = 6, 3 steps of DDIM, Ta = 3 of Tp = 4.

Adam 1e-3 for all but the temperature, 1e-2; targets follow by 0.05; b = 1.5; alpha from 0.3; H = 0.5.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from reference import DA, DO, TO, TP, mlp, perturb, save

from model.diffusion.diffusion import DiffusionModel  # noqa: E402

N, O, A, TA, B = 16, TO * DO, TP * DA, 3, 1.5
goldens = {}


class Block(nn.Module):
    def __init__(self, inputs, outputs, is_last=False):
        super().__init__()
        self.linear_1 = nn.Linear(inputs, outputs)
        if not is_last:
            self.norm_1 = nn.LayerNorm(outputs)

    def forward(self, x):
        x = self.linear_1(x)
        return torch.tanh(self.norm_1(x)) if hasattr(self, "norm_1") else x


class Layers(nn.Module):
    def __init__(self, sizes, has_output):
        super().__init__()
        last = len(sizes) - 2
        self.moduleList = nn.ModuleList(
            Block(a, b, has_output and i == last) for i, (a, b) in enumerate(zip(sizes, sizes[1:])))

    def forward(self, x):
        for block in self.moduleList:
            x = block(x)
        return x


class Critics(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.members = nn.ModuleList(Layers([inputs, 8, 8, 1], True) for _ in range(2))

    def forward(self, observations, actions):
        x = torch.cat([observations, actions], dim=1)
        return [member(x)[:, 0] for member in self.members]


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.latent_pi = Layers([O, 8, 8], False)
        self.mu = nn.Linear(8, A)
        self.log_std = nn.Linear(8, A)

    def forward(self, observations, noise):
        features = self.latent_pi(observations)
        normal = torch.distributions.Normal(
            self.mu(features), self.log_std(features).clamp(-20, 2).exp())
        tanh = torch.distributions.TanhTransform(cache_size=1)
        action = tanh(normal.mean + normal.stddev * noise)
        density = torch.distributions.TransformedDistribution(normal, tanh)
        return action, density.log_prob(action).sum(dim=1)


torch.manual_seed(5)
network = mlp()
perturb(network, 0.05)
policy = DiffusionModel(
    network=network, horizon_steps=TP, obs_dim=DO, action_dim=DA, denoising_steps=6, use_ddim=True,
    ddim_steps=3, final_action_clip_value=1.0, device="cpu")
for name, value in network.state_dict().items():
    goldens[f"network.{name}"] = value


@torch.no_grad()
def executed(observations, choice):
    """What noise over b becomes, the executed part."""
    x = (choice * B).view(-1, TP, DA)
    state = {"state": observations.view(-1, TO, DO)}
    for index, time in enumerate(policy.ddim_t):
        times = torch.full((len(x),), int(time), dtype=torch.long)
        x, _ = policy.p_mean_var(
            x=x, t=times, cond=state, index=torch.full((len(x),), index, dtype=torch.long))
    return x.clamp(-1, 1)[:, :TA].reshape(len(x), -1)


def least(values):
    return torch.minimum(values[0], values[1])


def polyak(source, target):
    with torch.no_grad():
        for a, b in zip(source.parameters(), target.parameters()):
            b.lerp_(a, 0.05)


for variant in ("noise-aliasing", "sac"):
    aliased = variant == "noise-aliasing"
    size = TA * DA if aliased else A
    actor, critics, noise_critics = Actor(), Critics(O + size), Critics(O + A)
    for module in (actor, critics, noise_critics):
        perturb(module)
    targets = copy.deepcopy(critics)
    log_alpha = torch.tensor([0.3]).log().requires_grad_()
    modules = {"actor": actor, "critics": critics, "targets": targets}
    if aliased:
        modules["noise-critics"] = noise_critics

    def put(when):
        for name, module in modules.items():
            for key, value in module.state_dict().items():
                goldens[f"{variant}/{when}.{name}.{key}"] = value.clone()
        goldens[f"{variant}/{when}.temperature.log_ent_coef"] = log_alpha.detach().clone()

    put("before")
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (actor, critics, noise_critics)]
    alpha_optimizer = torch.optim.Adam([log_alpha], lr=1e-2)

    def step(loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    data = {
        "observations": torch.rand(4, N, O) * 2 - 1, "next-observations": torch.rand(4, N, O) * 2 - 1,
        "actions": torch.rand(4, N, size) * 2 - 1, "rewards": torch.randn(4, N),
        "discounts": torch.where(torch.rand(4, N) < 0.2, 0.0, 0.9),
        "next-noise": torch.randn(4, N, A), "present-noise": torch.randn(4, N, A),
        "distill.observations": torch.rand(4, N, O) * 2 - 1, "distill.noise": torch.randn(4, N, A),
    }
    critic_losses, actor_losses, distill_losses = [], [], []
    for update in range(4):
        observations, following = data["observations"][update], data["next-observations"][update]
        action, log_probability = actor(observations, data["present-noise"][update])
        alpha = log_alpha.detach().exp()
        step(-(log_alpha * (log_probability + 0.5).detach()).mean(), alpha_optimizer)
        with torch.no_grad():
            choice, next_log = actor(following, data["next-noise"][update])
            taken = executed(following, choice) if aliased else choice
            value = least(targets(following, taken)) - alpha * next_log
            y = data["rewards"][update] + data["discounts"][update] * value
        values = critics(observations, data["actions"][update])
        loss = 0.5 * sum(F.mse_loss(q, y) for q in values)
        critic_losses.append(loss.item())
        step(loss, optimizers[1])
        climbed = noise_critics if aliased else critics
        loss = (alpha * log_probability - least(climbed(observations, action))).mean()
        actor_losses.append(loss.item())
        step(loss, optimizers[0])
        polyak(critics, targets)
        for index in ({1: (0, 1), 3: (2, 3)}.get(update, ()) if aliased else ()):
            observations = data["distill.observations"][index]
            choice = data["distill.noise"][index] / B
            with torch.no_grad():
                wanted = critics(observations, executed(observations, choice))
            loss = 0.5 * sum(
                F.mse_loss(q, y) for q, y in zip(noise_critics(observations, choice), wanted))
            distill_losses.append(loss.item())
            step(loss, optimizers[2])
    for name, value in data.items():
        if aliased or not name.startswith("distill"):
            goldens[f"{variant}/{name}"] = value
    goldens[f"{variant}/critic-loss"] = torch.tensor(critic_losses)
    goldens[f"{variant}/actor-loss"] = torch.tensor(actor_losses)
    if aliased:
        goldens[f"{variant}/distill-loss"] = torch.tensor(distill_losses)
    put("after")

save(goldens, "dsrl.safetensors")
