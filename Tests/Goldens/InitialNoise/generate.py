"""Goldens of FIND's released update: ten iterations of its own functions.

    python generate.py CHECKOUT    # a checkout of github.com/vpx-ecnu/FIND

The functions and classes are taken out of CHECKOUT by name and run on the CPU at a small size; the
parts of the training loop around them (buffer, optimizers, order of calls) are written here.
"""

import ast
import os
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file


def definitions(path, names, environment):
    """Runs the named definitions of a source file."""
    tree = ast.parse(open(path).read())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    exec(compile(tree, path, "exec"), environment)
    return environment


def main():
    checkout = sys.argv[1]
    # The released code moves everything to a GPU.
    torch.Tensor.cuda = lambda self: self
    environment = dict(
        torch=torch, nn=torch.nn, F=torch.nn.functional, np=np,
        Normal=torch.distributions.normal.Normal, pdb=None, dataclasses=__import__("dataclasses"),
        print=lambda *_: None)
    definitions(f"{checkout}/reward_model.py", ["ValueInit"], environment)
    definitions(
        f"{checkout}/dist_train2.py",
        ["MyModel", "get_log_prob", "TrainPolicyFuncData", "_train_policy_func",
         "_train_value_func"], environment)

    channels, side, buffer_count, iterations = 2, 4, 3, 10
    shape = (1, channels, side, side)
    torch.manual_seed(7)
    model = environment["MyModel"]()
    model.mean = torch.nn.Parameter(torch.zeros(shape))
    model.std = torch.nn.Parameter(torch.ones(shape))
    value = environment["ValueInit"]((2, channels, side, side))
    # By a formula that the test repeats: the weights would be the largest part of the file.
    for position, parameter in enumerate(value.parameters()):
        index = torch.arange(parameter.numel(), dtype=torch.float64)
        values = torch.cos(index * 0.37 + position) * (0.05 if parameter.ndim == 2 else 0.1)
        parameter.data = values.float().reshape(parameter.shape)
    embedding = torch.randn(1, 768) / 28
    tensors = dict(embedding=embedding[0].clone())

    arguments = types.SimpleNamespace(
        v_batch_size=256, v_step=5, p_batch_size=1, v_flag=1, ratio_clip=0.2, reward_weight=10,
        kl_weight=0.01, kl_warmup=-1, gradient_accumulation_steps=1)
    accelerator = types.SimpleNamespace(backward=lambda loss: loss.backward())
    # A large rate, so that ratios leave the clip range within ten updates.
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-2, weight_decay=0.0)
    value_optimizer = torch.optim.AdamW(value.parameters(), lr=1e-4)
    state = dict(
        old_mean=torch.zeros(shape), old_std=torch.ones(shape), last_log_prob=torch.tensor([0]),
        final_reward=torch.zeros(0), txt_emb=torch.zeros(0, 768),
        unconditional_prompt_embeds=torch.zeros(1, 1), guided_prompt_embeds=torch.zeros(1, 1),
        next_state=torch.zeros(1, 1), timestep=torch.zeros(1))
    noises, rewards, means, stds, ratios = [], [], [], [], []
    for _ in range(iterations):
        noise = (model.mean + model.std * torch.randn(shape)).detach()
        reward = noise.sum() / 4 + 0.3
        noises.append(noise[0].permute(1, 2, 0))
        rewards.append(reward)
        state["init_noise"] = noise
        state["final_reward"] = torch.cat([state["final_reward"], reward.reshape(1)])[-buffer_count:]
        state["txt_emb"] = torch.cat([state["txt_emb"], embedding])[-buffer_count:]
        value_optimizer.zero_grad()
        for _ in range(arguments.v_step):
            environment["_train_value_func"](model, value, state, accelerator, arguments)
        value_optimizer.step()
        optimizer.zero_grad()
        data = environment["TrainPolicyFuncData"]()
        environment["_train_policy_func"](
            arguments, state, None, False, 0, 1, accelerator, data, value, model)
        optimizer.step()
        model.check_std()
        means.append(model.mean.detach()[0].permute(1, 2, 0).clone())
        stds.append(model.std.detach()[0].permute(1, 2, 0).clone())
        ratios.append(data.tot_ratio)
    assert min(ratios) < 0.81 or max(ratios) > 1.19, ratios
    tensors |= dict(
        noises=torch.stack(noises), rewards=torch.stack(rewards), means=torch.stack(means),
        stds=torch.stack(stds))
    folder = os.path.dirname(os.path.abspath(__file__))
    save_file({k: v.contiguous() for k, v in tensors.items()}, f"{folder}/released.safetensors")


if __name__ == "__main__":
    main()
