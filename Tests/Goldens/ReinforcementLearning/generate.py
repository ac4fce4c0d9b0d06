"""Writes rollout.safetensors: what the DPPO reference makes of a random rollout.

Usage: python generate.py PATH_OF_A_DPPO_CHECKOUT   (needs numpy, torch, safetensors)

Tensors are [T, B], time first, unless said otherwise.
"""

import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

sys.path.insert(0, sys.argv[1])
from util.reward_scaling import RunningRewardScaler  # noqa: E402

T, B = 40, 3
GAMMA, LAMBDA = 0.97, 0.9
random = np.random.default_rng(7)
tensors = {}

# Two rollouts in a row, because the scaler remembers.
scaler = RunningRewardScaler(B)
for part in ("first", "second"):
    rewards = random.normal(1, 3, (T, B))
    firsts = (random.random((T, B)) < 0.1).astype(float)
    if part == "first":
        firsts[0] = 1
    scaled = scaler(reward=rewards.T, first=firsts.T).T
    tensors[f"{part}.rewards"] = rewards
    tensors[f"{part}.isFirst"] = firsts
    tensors[f"{part}.scaled"] = scaled

# The recursion of train_ppo_diffusion_agent.py, written out: it knows terminations only.
rewards = random.normal(size=(T, B))
values = random.normal(size=(T + 1, B))
terminated = (random.random((T, B)) < 0.15).astype(float)
advantages = np.zeros((T, B))
last = np.zeros(B)
for t in reversed(range(T)):
    alive = 1 - terminated[t]
    delta = rewards[t] + GAMMA * values[t + 1] * alive - values[t]
    last = delta + GAMMA * LAMBDA * alive * last
    advantages[t] = last
tensors["gae.rewards"] = rewards
tensors["gae.values"] = values  # [T + 1, B]
tensors["gae.terminated"] = terminated
tensors["gae.advantages"] = advantages

# Normalization and quantiles of diffusion_ppo.py.
a = torch.tensor(random.normal(2, 5, 101))
normal = (a - a.mean()) / (a.std() + 1e-8)
low, high = torch.quantile(normal, 0.05), torch.quantile(normal, 0.93)
tensors["scaling.advantages"] = a.numpy()
tensors["scaling.normalized"] = normal.numpy()
tensors["scaling.clamped"] = normal.clamp(low, high).numpy()

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rollout.safetensors")
save_file({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}, path)
