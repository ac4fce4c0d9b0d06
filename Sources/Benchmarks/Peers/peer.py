"""PyTorch's side of `make bench-peers`: runs the case named on each line of standard input once and
prints its seconds. A name is that of Attune's case, a slash, and the variant to run: words between dashes,
of which `bfloat16` turns weights and inputs into bfloat16, `autocast` lets PyTorch choose what it computes in
bfloat16, `compiled` calls torch.compile and `channels-last` lays images out so."""

import contextlib
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)


def cast(variant):
    """What a variant runs its network in."""
    if "autocast" in variant:
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def number_type(variant):
    return torch.bfloat16 if variant.startswith("bfloat16") else torch.float32


def layout_of(variant):
    return torch.channels_last if variant.endswith("channels-last") else torch.contiguous_format


class Block(nn.Module):
    """Two layers with activations before them, around which the input is added."""

    def __init__(self, width, activation):
        super().__init__()
        self.l1, self.l2, self.activation = nn.Linear(width, width), nn.Linear(width, width), activation

    def forward(self, x):
        return self.l2(self.activation(self.l1(self.activation(x)))) + x


class HopperNetworks(nn.Module):
    def __init__(self):
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(39, 512), Block(512, nn.ReLU()), nn.Linear(512, 12))
        self.critic = nn.Sequential(
            nn.Linear(11, 256), nn.Mish(), nn.Linear(256, 256), nn.Mish(),
            nn.Linear(256, 256), nn.Mish(), nn.Linear(256, 1))

    def forward(self, x, target, state, value, count):
        policy_error = self.policy(x) - target
        critic_error = self.critic(state) - value
        return policy_error.square().sum() / (12 * count) + critic_error.square().sum() / count


def dppo_update(variant):
    count = 50_000
    networks = HopperNetworks()
    optimizers = [
        torch.optim.AdamW(networks.policy.parameters(), lr=1e-4),
        torch.optim.AdamW(networks.critic.parameters(), lr=1e-3)]
    loss_of = torch.compile(networks) if "compiled" in variant else networks
    last = variant.rpartition("-")[2]
    size = int(last) if last.isdigit() else count

    def prepare():
        parts = [torch.randn(count, n) for n in (39, 12, 11, 1)]

        def run():
            for optimizer in optimizers:
                optimizer.zero_grad()
            for start in range(0, count, size):
                with cast(variant):
                    loss = loss_of(*(part[start:start + size] for part in parts), count)
                loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        return run
    return prepare


def policy_calls(variant):
    policy = HopperNetworks().policy.to(number_type(variant))
    call = torch.compile(policy) if "compiled" in variant else policy

    def prepare():
        inputs = [torch.randn(40, 39).to(number_type(variant)) for _ in range(20)]

        @torch.inference_mode()
        def run():
            with cast(variant):
                for x in inputs:
                    call(x)
        return run
    return prepare


def convolution(name, variant):
    parts = name.split("-")
    trains = parts[1] == "train"
    batch, side, _ = (int(n) for n in parts[-2].split("x"))
    channels = int(parts[-1])
    layout, kind = layout_of(variant), number_type(variant)
    layer = nn.Conv2d(channels, channels, 3, padding=1).to(memory_format=layout, dtype=kind)

    def prepare():
        x = torch.randn(batch, channels, side, side).to(memory_format=layout, dtype=kind)
        if not trains:
            @torch.inference_mode()
            def run():
                with cast(variant):
                    layer(x)
            return run
        upstream = torch.randn_like(x)
        x.requires_grad_()
        layer.zero_grad(set_to_none=True)

        def run():
            with cast(variant):
                y = layer(x)
            y.backward(upstream.to(y.dtype))
        return run
    return prepare


def trained_or_not(trains, shapes, upstream_shape, function, dtype=torch.float32):
    """Times `function` of random tensors, with its backward pass if it is to be trained."""
    def prepare():
        inputs = [torch.randn(shape, dtype=dtype, requires_grad=trains) for shape in shapes]
        if not trains:
            @torch.inference_mode()
            def run():
                function(*inputs)
            return run
        upstream = torch.randn(upstream_shape, dtype=dtype)

        def run():
            function(*inputs).backward(upstream)
        return run
    return prepare


def attention(name, variant):
    batch, heads, tokens, size = (int(n) for n in name.split("-")[-1].split("x"))
    shape = (batch, heads, tokens, size)

    def naive(q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2) * size**-0.5, -1) @ v

    function = naive if variant == "naive" else F.scaled_dot_product_attention
    return trained_or_not("train" in name, [shape] * 3, shape, function, number_type(variant))


def group_norm(name, variant):
    shape = (8, 64, 32, 32)

    def function(x, weight, bias):
        if variant == "channels-last":
            x = x.to(memory_format=torch.channels_last)
        return F.silu(F.group_norm(x, 32, weight, bias))
    return trained_or_not("train" in name, [shape, (64,), (64,)], shape, function)


def environments(name):
    """40 Hoppers for 25 steps each; the environments' processes start with the first run. Against Attune's
    own Hopper it is v4 as gymnasium.make gives it; against Attune's bridge to the same Python it is v5
    without Gymnasium's checks of every step, which the bridge turns off too."""
    import gymnasium
    count, step_count = (int(n) for n in name.split("-")[-1].split("x"))
    if "gymnasium" in name:
        make = lambda: gymnasium.make("Hopper-v5", disable_env_checker=True)
    else:
        make = lambda: gymnasium.make("Hopper-v4")
    vector = gymnasium.vector.AsyncVectorEnv([make] * count)
    vector.reset(seed=1)

    def prepare():
        actions = torch.empty(step_count, count, 3).uniform_(-1, 1).numpy()

        def run():
            for action in actions:
                vector.step(action)
        return run
    return prepare


def stable_diffusion(name, variant):
    kind, layout = number_type(variant), layout_of(variant)
    if name.startswith("unet"):
        from diffusers import UNet2DConditionModel
        network = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    else:
        from diffusers import AutoencoderKL
        network = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    network = network.eval().to(dtype=kind, memory_format=layout)
    if name.startswith("unet"):
        forward = torch.compile(network) if "compiled" in variant else network
        call = lambda x: forward(x, 500, encoder_hidden_states=torch.randn(1, 77, 768, dtype=kind))
    else:
        if "compiled" in variant:
            network.decoder = torch.compile(network.decoder)
        call = network.decode

    def prepare():
        x = torch.randn(1, 4, 64, 64).to(dtype=kind, memory_format=layout)

        @torch.inference_mode()
        def run():
            with cast(variant):
                call(x)
        return run
    return prepare


def clips(name, variant):
    """The U-Net of samples/sprites/train.yaml: a step of sampling, or a step of training."""
    from diffusers import UNet3DConditionModel
    network = UNet3DConditionModel(
        sample_size=16, in_channels=12, out_channels=12, block_out_channels=(32, 64, 128),
        layers_per_block=1, cross_attention_dim=128, attention_head_dim=8, norm_num_groups=16,
        down_block_types=("DownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D"),
        up_block_types=("CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "UpBlock3D"))
    count, frames, height, width = (int(n) for n in name.split("-")[-1].split("x"))
    shape, trains, kind = (count, 12, frames, height, width), "train" in name, number_type(variant)
    network.train(trains).to(kind)
    forward = torch.compile(network) if "compiled" in variant else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def prepare():
        sample, target = torch.randn(shape, dtype=kind), torch.randn(shape, dtype=kind)
        prompt = torch.randn(count, 40, 128, dtype=kind)
        times = torch.randint(1000, (count,))

        @torch.inference_mode()
        def run():
            with cast(variant):
                forward(sample, 500, prompt)

        def step():
            optimizer.zero_grad()
            with cast(variant):
                prediction = forward(sample, times, prompt).sample
            F.mse_loss(prediction.float(), target).backward()
            optimizer.step()
        return step if trains else run
    return prepare


def case(name):
    name, _, variant = name.partition("/")
    if name.startswith("clip"):
        return clips(name, variant)
    if "sd15" in name:
        return stable_diffusion(name, variant)
    if name.startswith("environments"):
        return environments(name)
    if name.startswith("dppo-update"):
        return dppo_update(variant)
    if name.startswith("policy"):
        return policy_calls(variant)
    if name.startswith("conv"):
        return convolution(name, variant)
    if name.startswith("attention"):
        return attention(name, variant)
    return group_norm(name, variant)


cases = {}
for line in sys.stdin:
    name = line.strip()
    if name not in cases:
        cases[name] = case(name)
    run = cases[name]()
    start = time.perf_counter()
    run()
    print(time.perf_counter() - start, flush=True)
