"""The peer of Attune's DPPO benchmarks: the reference's own networks, chains, loss and reward scaling,
imported from a checkout, at its Hopper setting, with Gymnasium's AsyncVectorEnv around Hopper-v4.

Usage: dppo_iteration.py CHECKOUT [--decisions N] [--threads N] [--iterations N]

Without --iterations it answers each line of standard input: `dppo-iteration` with the seconds of an
iteration and its parts as JSON, `dppo-sample-40` with the seconds of one decision of 40 environments.

The loss's comprehension over 50,000 denoising indices is replaced by one operation on all of them; the
rest of its source runs as it is.
"""

import argparse
import ast
import inspect
import json
import resource
import sys
import textwrap
import time
import warnings

import gymnasium
import numpy as np
import torch

ENVIRONMENTS, TA, DO, DA = 40, 4, 11, 3
K, FINE_TUNED = 20, 10
EPOCHS, BATCH, LOGPROB_BATCH = 5, 50_000, 10_000
GAMMA, LAMBDA, TARGET_DIVERGENCE = 0.99, 0.95, 1
# About what the SAC policy of the demonstrations reaches; DPPOCases.swift has the same numbers.
OBSERVATION_MIN = np.array([0.7, -0.2, -1, -1.5, -0.8, -1, -3, -4, -8, -8, -8])
OBSERVATION_MAX = np.array([1.7, 0.2, 0.1, 0.1, 0.8, 4, 3, 4, 8, 8, 8])


class Hopper(gymnasium.Env):
    """Hopper with normalized observations and chunks of actions, begun anew as soon as it ends."""

    def __init__(self):
        self.inner = gymnasium.make("Hopper-v4", disable_env_checker=True)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1, DO), np.float64)
        self.action_space = gymnasium.spaces.Box(-1, 1, (TA, DA), np.float32)
        self.step_count = self.episode_count = 0

    def seen(self, observation):
        scaled = (observation - OBSERVATION_MIN) / (OBSERVATION_MAX - OBSERVATION_MIN + 1e-6)
        return (2 * scaled - 1)[None]

    def reset(self, *, seed=None, options=None):
        return self.seen(self.inner.reset(seed=seed)[0]), {}

    def step(self, chunk):
        total = 0.0
        for action in chunk:
            observation, reward, terminated, truncated, _ = self.inner.step(action)
            total += reward
            self.step_count += 1
            if terminated or truncated:
                self.episode_count += 1
                return self.reset()[0], total, terminated, truncated, {}
        return self.seen(observation), total, terminated, truncated, {}


class WholeVector(ast.NodeTransformer):
    """Turns [f(i) for i in v] into f(v)."""

    count = 0

    def visit_ListComp(self, node):
        self.count += 1
        variable, vector = node.generators[0].target.id, node.generators[0].iter

        class Substitution(ast.NodeTransformer):
            def visit_Name(self, name):
                return vector if name.id == variable else name

        return Substitution().visit(node.elt)


def vectorize_loss(model):
    tree = ast.parse(textwrap.dedent(inspect.getsource(model.loss)))
    transformer = WholeVector()
    tree = ast.fix_missing_locations(transformer.visit(tree))
    if transformer.count != 1:
        sys.exit(f"the reference's loss has {transformer.count} comprehensions, not 1: another version?")
    scope = {}
    exec(compile(tree, "vectorized loss", "exec"), sys.modules[model.__module__].__dict__, scope)
    model.loss = scope["loss"]


def make_model():
    from model.common.critic import CriticObs
    from model.diffusion.diffusion_ppo import PPODiffusion
    from model.diffusion.mlp_diffusion import DiffusionMLP

    vectorize_loss(PPODiffusion)
    actor = DiffusionMLP(
        action_dim=DA, horizon_steps=TA, cond_dim=DO, time_dim=16, mlp_dims=[512] * 3,
        activation_type="ReLU", residual_style=True)
    critic = CriticObs(
        cond_dim=DO, mlp_dims=[256] * 3, activation_type="Mish", residual_style=True)
    return PPODiffusion(
        actor=actor, critic=critic, ft_denoising_steps=FINE_TUNED, horizon_steps=TA, obs_dim=DO,
        action_dim=DA, denoising_steps=K, device="cpu", gamma_denoising=0.99, clip_ploss_coef=0.01,
        clip_ploss_coef_base=0.01, clip_ploss_coef_rate=3, randn_clip_value=3,
        min_sampling_denoising_std=0.1, min_logprob_denoising_std=0.1)


class Training:
    """Rollout, judgement and update in the order and with the calls of the reference's agent."""

    def __init__(self, decisions):
        from util.reward_scaling import RunningRewardScaler

        self.decisions = decisions
        self.environments = gymnasium.vector.AsyncVectorEnv(
            [Hopper] * ENVIRONMENTS, autoreset_mode=gymnasium.vector.AutoresetMode.DISABLED)
        self.observation = self.environments.reset(seed=42)[0]
        self.finished = np.ones(ENVIRONMENTS)
        self.model = make_model()
        self.scaler = RunningRewardScaler(ENVIRONMENTS)
        self.policy_optimizer = torch.optim.AdamW(
            self.model.actor_ft.parameters(), lr=1e-4, weight_decay=0)
        self.critic_optimizer = torch.optim.AdamW(
            self.model.critic.parameters(), lr=1e-3, weight_decay=0)

    def iterate(self):
        self.seconds = dict.fromkeys(["simulate", "sample", "logprobs", "update"], 0.0)
        begin = time.perf_counter()
        self.roll_out()
        self.judge()
        minibatches = self.improve()
        return {**self.seconds, "total": time.perf_counter() - begin, "minibatches": minibatches,
                "decisions": self.rewards.size,
                "steps": sum(self.environments.get_attr("step_count")),
                "episodes": sum(self.environments.get_attr("episode_count")),
                "peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    def roll_out(self):
        shape = (self.decisions, ENVIRONMENTS)
        self.observations = np.zeros((*shape, 1, DO))
        self.chains = np.zeros((*shape, FINE_TUNED + 1, TA, DA))
        self.rewards, self.terminated = np.zeros(shape), np.zeros(shape)
        self.firsts = np.zeros((self.decisions + 1, ENVIRONMENTS))
        self.firsts[0] = self.finished
        for t in range(self.decisions):
            start = time.perf_counter()
            with torch.no_grad():
                condition = {"state": torch.from_numpy(self.observation).float()}
                sample = self.model(cond=condition, deterministic=False, return_chain=True)
                chunks, chain = sample.trajectories.numpy(), sample.chains.numpy()
            acted = time.perf_counter()
            self.observations[t], self.chains[t] = self.observation, chain
            self.observation, self.rewards[t], self.terminated[t], truncated, _ = (
                self.environments.step(chunks))
            self.firsts[t + 1] = self.finished = (self.terminated[t] > 0) | truncated
            self.seconds["sample"] += acted - start
            self.seconds["simulate"] += time.perf_counter() - acted

    @torch.no_grad()
    def judge(self):
        start = time.perf_counter()
        states = torch.from_numpy(self.observations).float().flatten(0, 1)
        chains = torch.from_numpy(self.chains).float().flatten(0, 1)
        values, logprobs = [], []
        for part in states.split(LOGPROB_BATCH):
            values.append(self.model.critic({"state": part}).numpy().reshape(-1, ENVIRONMENTS))
        for part, chain in zip(states.split(LOGPROB_BATCH), chains.split(LOGPROB_BATCH)):
            found = self.model.get_logprobs({"state": part}, chain).numpy()
            logprobs.append(found.reshape(-1, FINE_TUNED, TA, DA))
        values = np.vstack(values)
        last = self.model.critic({"state": torch.from_numpy(self.observation).float()})
        rewards = self.scaler(reward=self.rewards.T, first=self.firsts[:-1].T).T
        advantages, advantage = np.zeros_like(rewards), 0
        following = last.numpy().reshape(-1)
        for t in reversed(range(self.decisions)):
            goes_on = 1 - self.terminated[t]
            error = rewards[t] + GAMMA * following * goes_on - values[t]
            advantages[t] = advantage = error + GAMMA * LAMBDA * goes_on * advantage
            following = values[t]
        self.states, self.chains = states, chains
        self.logprobs = torch.tensor(np.vstack(logprobs)).float()
        self.values, self.advantages, self.returns = (
            torch.tensor(x).float().reshape(-1) for x in (values, advantages, advantages + values))
        self.seconds["logprobs"] = time.perf_counter() - start

    def improve(self):
        start, minibatches = time.perf_counter(), 0
        count = len(self.states) * FINE_TUNED
        for _ in range(EPOCHS):
            order = torch.randperm(count)
            for number in range(max(1, count // BATCH)):
                chosen = order[number * BATCH:(number + 1) * BATCH]
                minibatches += 1
                if self.step(chosen) > TARGET_DIVERGENCE:
                    break
            else:
                continue
            break
        self.seconds["update"] = time.perf_counter() - start
        return minibatches

    def step(self, chosen):
        rows, steps = torch.unravel_index(chosen, (len(self.states), FINE_TUNED))
        policy_loss, entropy_loss, value_loss, _, divergence, *_ = self.model.loss(
            {"state": self.states[rows]}, self.chains[rows, steps], self.chains[rows, steps + 1],
            steps, self.returns[rows], self.values[rows], self.advantages[rows],
            self.logprobs[rows, steps], use_bc_loss=False, reward_horizon=TA)
        self.policy_optimizer.zero_grad()
        self.critic_optimizer.zero_grad()
        (policy_loss + entropy_loss * 0 + value_loss * 0.5).backward()
        self.policy_optimizer.step()
        self.critic_optimizer.step()
        return divergence

    def sample(self):
        """Seconds of one decision with its chain on random observations."""
        condition = {"state": torch.randn(ENVIRONMENTS, 1, DO)}
        start = time.perf_counter()
        self.model(cond=condition, deterministic=False, return_chain=True)
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout")
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=0)
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.checkout)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(42)
    training = Training(arguments.decisions)
    for _ in range(arguments.iterations):
        print(json.dumps(training.iterate()), flush=True)
    for line in sys.stdin if not arguments.iterations else []:
        answer = training.iterate if line.strip() == "dppo-iteration" else training.sample
        print(json.dumps(answer()), flush=True)
    training.environments.close()


if __name__ == "__main__":
    main()
