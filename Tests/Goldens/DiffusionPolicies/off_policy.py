"""Goldens of the updates of IDQL, DQL, QSM, DIPO, DRWR and DAWR, by the reference's own losses.

Usage: python off_policy.py REFERENCE_CHECKOUT

off-policy.safetensors: policies of K = 6 (`<method>/before.network.*`, `after.network.*`) and critics of 8^3 with
Mish, `<method>/before.critics.Q1.*` and so on. Each method makes 3 updates of N = 16 rows: `observations`
`[3, N, O]`, `next-observations`, `chunks` `[3, N, Tp, Da]`, all of which is executed, `rewards`, `discounts`,
`times` and `noise` of the denoising loss, `actor-loss` `[3]`.

- `idql`: V, Q, targets and policy; `value-loss`, `critic-loss`.
- `dql`: the policy against fixed critics; `chain` `[3, 1 + K, N, Tp, Da]`, and `climbs-first`. The denoising loss is
  that of the buffer's chunks, where the reference takes its own new ones.
- `qsm`: the policy against fixed critics.
- `dipo`: `climbed` `[3, N, Tp, Da]` by fixed critics, 5 steps of 3e-2, of which the policy learns.
- `drwr`, `dawr`: `returns` or `advantages` `[3, N]`, and `weights` (beta 2, at most 5).

Adam 1e-3 for all; targets follow by 0.05; the noise of training is at least 0.1 and at most 3 deviations.
"""

import copy

import torch
import torch.nn.functional as F

from reference import DA, DO, TO, TP, mlp, perturb, save

from model.common.critic import CriticObs, CriticObsAct  # noqa: E402
from model.diffusion.diffusion_dql import DQLDiffusion  # noqa: E402
from model.diffusion.diffusion_idql import IDQLDiffusion  # noqa: E402
from model.diffusion.diffusion_qsm import QSMDiffusion  # noqa: E402
from model.diffusion.diffusion_rwr import RWRDiffusion  # noqa: E402

N, K, UPDATES = 16, 6, 3
goldens = {}
COMMON = dict(horizon_steps=TP, obs_dim=DO, action_dim=DA, denoising_steps=K, device="cpu",
              final_action_clip_value=1.0, randn_clip_value=3)


def put(prefix, module):
    for name, value in module.state_dict().items():
        goldens[f"{prefix}.{name}"] = value.clone()


def network():
    module = mlp()
    perturb(module, 0.05)
    return module


def critic():
    module = CriticObsAct(
        cond_dim=TO * DO, mlp_dims=[8, 8, 8], action_dim=DA, action_steps=TP, activation_type="Mish")
    perturb(module)
    return module


def data(method):
    values = {
        "observations": torch.rand(UPDATES, N, TO * DO) * 2 - 1,
        "next-observations": torch.rand(UPDATES, N, TO * DO) * 2 - 1,
        "chunks": torch.rand(UPDATES, N, TP, DA) * 2 - 1, "rewards": torch.randn(UPDATES, N),
        "discounts": torch.where(torch.rand(UPDATES, N) < 0.2, 0.0, 0.9),
        "times": torch.randint(0, K, (UPDATES, N)), "noise": torch.randn(UPDATES, N, TP, DA),
    }
    for name, value in values.items():
        goldens[f"{method}/{name}"] = value
    return values


def states(observations):
    return {"state": observations.view(-1, TO, DO)}


class Draws:
    """Gives prepared tensors in place of torch's draws of noise and times."""

    def __init__(self, noise, times=None):
        self.noise, self.times = list(noise), times

    def __enter__(self):
        self.originals = (torch.randn, torch.randn_like, torch.randint)
        torch.randn = torch.randn_like = lambda *_, **__: self.noise.pop(0).clone()
        torch.randint = lambda *_, **__: self.times.clone()

    def __exit__(self, *_):
        torch.randn, torch.randn_like, torch.randint = self.originals


def step(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def optimizer(module):
    return torch.optim.Adam(module.parameters(), lr=1e-3)


torch.manual_seed(9)

# IDQL: the order of train_idql_diffusion_agent.py.
values = CriticObs(cond_dim=TO * DO, mlp_dims=[8, 8, 8], activation_type="Mish", residual_style=False)
perturb(values)
model = IDQLDiffusion(actor=network(), critic_q=critic(), critic_v=values, **COMMON)
d = data("idql")
parts = {"network": model.actor, "critics": model.critic_q, "targets": model.target_q, "values": values}
for name, module in parts.items():
    put(f"idql/before.{name}", module)
optimizers = {name: optimizer(module) for name, module in parts.items()}
losses = {"value-loss": [], "critic-loss": [], "actor-loss": []}
for i in range(UPDATES):
    now, following = states(d["observations"][i]), states(d["next-observations"][i])
    chunks = d["chunks"][i]
    losses["value-loss"].append(step(model.loss_critic_v(now, chunks), optimizers["values"]))
    loss = model.loss_critic_q(
        now, following, chunks, d["rewards"][i], 1 - d["discounts"][i] / 0.9, 0.9)
    losses["critic-loss"].append(step(loss, optimizers["critics"]))
    model.update_target_critic(0.05)
    with Draws([d["noise"][i]]):
        loss = model.p_losses(chunks, now, d["times"][i])
    losses["actor-loss"].append(step(loss, optimizers["network"]))
for name, module in parts.items():
    put(f"idql/after.{name}", module)
goldens |= {f"idql/{name}": torch.tensor(value) for name, value in losses.items()}

# DQL.
model = DQLDiffusion(actor=network(), critic=critic(), **COMMON)
d = data("dql")
put("dql/before.network", model.actor)
put("dql/before.critics", model.critic)
adam, losses = optimizer(model.actor), []
chain = torch.randn(UPDATES, 1 + K, N, TP, DA)
climbs_first = [1, 0, 1]
for i in range(UPDATES):
    now = states(d["observations"][i])
    with Draws(chain[i]):
        drawn = model.forward_train(now)
    q1, q2 = model.critic(now, drawn)
    climbed, measure = (q1, q2) if climbs_first[i] else (q2, q1)
    with Draws([d["noise"][i]]):
        denoising = model.p_losses(d["chunks"][i], now, d["times"][i])
    losses.append(step(denoising + 0.7 * -climbed.mean() / measure.abs().mean().detach(), adam))
put("dql/after.network", model.actor)
goldens |= {"dql/chain": chain, "dql/climbs-first": torch.tensor(climbs_first),
            "dql/actor-loss": torch.tensor(losses)}

# QSM.
model = QSMDiffusion(actor=network(), critic=critic(), **COMMON)
d = data("qsm")
put("qsm/before.network", model.actor)
put("qsm/before.critics", model.critic_q)
adam, losses = optimizer(model.actor), []
for i in range(UPDATES):
    with Draws([d["noise"][i]], d["times"][i]):
        losses.append(step(model.loss_actor(states(d["observations"][i]), d["chunks"][i], 10), adam))
put("qsm/after.network", model.actor)
goldens["qsm/actor-loss"] = torch.tensor(losses)

# DIPO: the loop of train_dipo_diffusion_agent.py.
model, critics = RWRDiffusion(network=network(), **COMMON), critic()
d = data("dipo")
put("dipo/before.network", model.network)
put("dipo/before.critics", critics)
adam, losses, moved = optimizer(model.network), [], []
for i in range(UPDATES):
    now = states(d["observations"][i])
    actions = d["chunks"][i].reshape(N, -1).clone()
    climber = torch.optim.Adam([actions], lr=3e-2, eps=1e-5)
    for _ in range(5):
        actions.requires_grad_(True)
        loss = -torch.min(*critics(now, actions)).sum()
        climber.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([actions], max_norm=0.1 * TP * DA)
        climber.step()
        actions.requires_grad_(False)
        actions.clamp_(-1, 1)
    moved.append(actions.reshape(N, TP, DA).clone())
    with Draws([d["noise"][i]]):
        losses.append(
            step(model.p_losses(moved[-1], now, torch.ones(N), d["times"][i]), adam))
put("dipo/after.network", model.network)
goldens |= {"dipo/climbed": torch.stack(moved), "dipo/actor-loss": torch.tensor(losses)}

# DRWR and DAWR.
for method, name in (("drwr", "returns"), ("dawr", "advantages")):
    model = RWRDiffusion(network=network(), **COMMON)
    d = data(method)
    put(f"{method}/before.network", model.network)
    adam, losses = optimizer(model.network), []
    worth, weights = torch.randn(UPDATES, N) * 3 + 1, []
    for i in range(UPDATES):
        if method == "drwr":
            numbers = worth[i].numpy()
            scaled = torch.from_numpy((numbers - numbers.mean()) / (numbers.std() + 1e-3))
        else:
            scaled = (worth[i] - worth[i].mean()) / (worth[i].std() + 1e-6)
        weights.append(torch.exp(2 * scaled).clamp(max=5))
        with Draws([d["noise"][i]]):
            losses.append(step(model.p_losses(
                d["chunks"][i], states(d["observations"][i]), weights[-1], d["times"][i]), adam))
    put(f"{method}/after.network", model.network)
    goldens |= {f"{method}/{name}": worth, f"{method}/weights": torch.stack(weights),
                f"{method}/actor-loss": torch.tensor(losses)}

save(goldens, "off-policy.safetensors")
