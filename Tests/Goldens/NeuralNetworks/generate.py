"""Goldens for layers, operations, losses, optimizers and random draws, from PyTorch on the CPU.

Usage: python generate.py    (needs torch and safetensors; writes beside itself)

Tensors are named <case>/<role>: parameter.<name>, input.<name>, output, upstream, gradient.<name>.
Gradients are of sum(output * upstream). Images are stored as PyTorch has them, [B, C, H, W].
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)
torch.manual_seed(20240)


def record(goldens, name, function, inputs, parameters=()):
    """Runs function(*inputs) and keeps everything that a test needs to repeat it."""
    for tensor in inputs.values():
        if tensor.is_floating_point():
            tensor.requires_grad_()
    output = function(*inputs.values())
    upstream = torch.randn_like(output)
    leaves = {f"input.{k}": v for k, v in inputs.items()} | {f"parameter.{k}": v for k, v in parameters}
    for tensor in leaves.values():
        tensor.grad = None
    output.backward(upstream)
    goldens[f"{name}/output"] = output
    goldens[f"{name}/upstream"] = upstream
    for role, tensor in leaves.items():
        goldens[f"{name}/{role}"] = tensor
        if tensor.grad is not None:
            goldens[f"{name}/gradient.{role.partition('.')[2]}"] = tensor.grad


def save(goldens, file):
    save_file({k: v.detach().clone().contiguous() for k, v in goldens.items()}, HERE / file)


class MLP(nn.Module):
    """Names as in the DPPO reference: moduleList.<i>.linear_1 and norm_1."""

    def __init__(self, sizes, activation, normalizes):
        super().__init__()
        self.moduleList = nn.ModuleList()
        for index, (a, b) in enumerate(zip(sizes, sizes[1:])):
            is_last = index == len(sizes) - 2
            block = nn.Module()
            block.linear_1 = nn.Linear(a, b)
            if normalizes and not is_last:
                block.norm_1 = nn.LayerNorm(b)
            self.moduleList.append(block)
        self.activation = activation

    def forward(self, x):
        for index, block in enumerate(self.moduleList):
            x = block.linear_1(x)
            if hasattr(block, "norm_1"):
                x = block.norm_1(x)
            if index < len(self.moduleList) - 1:
                x = self.activation(x)
        return x


class ResidualMLP(nn.Module):
    """Names as in the DPPO reference: layers.<i>, with l1, l2, norm1, norm2 in the blocks."""

    def __init__(self, sizes, activation, normalizes):
        super().__init__()
        width = sizes[1]
        blocks = []
        for _ in range((len(sizes) - 3) // 2):
            block = nn.Module()
            block.l1, block.l2 = nn.Linear(width, width), nn.Linear(width, width)
            if normalizes:
                block.norm1 = nn.LayerNorm(width, eps=1e-6)
                block.norm2 = nn.LayerNorm(width, eps=1e-6)
            blocks.append(block)
        self.layers = nn.ModuleList(
            [nn.Linear(sizes[0], width)] + blocks + [nn.Linear(width, sizes[-1])])
        self.activation = activation

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                x = layer(x)
                continue
            y = layer.norm1(x) if hasattr(layer, "norm1") else x
            y = layer.l1(self.activation(y))
            y = layer.norm2(y) if hasattr(layer, "norm2") else y
            x = x + layer.l2(self.activation(y))
        return x


def layers():
    goldens = {}

    def layer(name, module, **inputs):
        for parameter in module.parameters():
            with torch.no_grad():
                parameter.add_(0.1 * torch.randn_like(parameter))
        record(goldens, name, module, inputs, list(module.named_parameters()))

    layer("linear", nn.Linear(11, 7), x=torch.randn(5, 11))
    layer("linear-wide", nn.Linear(100, 70), x=torch.randn(3, 30, 100))
    layer("linear-no-bias", nn.Linear(11, 7, bias=False), x=torch.randn(2, 3, 11))
    layer("conv1d", nn.Conv1d(6, 10, 5, padding=2), x=torch.randn(2, 6, 12))
    layer("conv1d-stride", nn.Conv1d(6, 6, 3, 2, 1), x=torch.randn(2, 6, 12))
    layer("conv-transpose1d", nn.ConvTranspose1d(6, 8, 4, 2, 1), x=torch.randn(2, 6, 5))
    layer("conv2d", nn.Conv2d(3, 10, 3, padding=1), x=torch.randn(2, 3, 9, 7))
    layer("conv2d-no-padding", nn.Conv2d(5, 4, 3), x=torch.randn(1, 5, 6, 6))
    layer("conv2d-stride", nn.Conv2d(16, 16, 3, 2, 1), x=torch.randn(2, 16, 8, 8))
    layer("conv2d-pointwise", nn.Conv2d(8, 12, 1, bias=False), x=torch.randn(2, 8, 5, 5))
    layer("conv2d-winograd", nn.Conv2d(32, 48, 3, padding=1), x=torch.randn(2, 32, 10, 13))
    layer("layer-norm", nn.LayerNorm(37), x=torch.randn(4, 5, 37) * 3 + 1)
    layer("group-norm", nn.GroupNorm(4, 24), x=torch.randn(2, 24, 5, 6) * 2 - 1)
    layer("group-norm-line", nn.GroupNorm(8, 16, eps=1e-3), x=torch.randn(3, 16, 9))
    layer("group-norm-silu", nn.Sequential(nn.GroupNorm(6, 24), nn.SiLU()), x=torch.randn(2, 24, 4, 4))

    class Attention(nn.MultiheadAttention):
        is_causal = False

        def forward(self, query, context=None):
            context = query if context is None else context
            mask = None
            if self.is_causal:
                mask = nn.Transformer.generate_square_subsequent_mask(query.shape[1])
            return super().forward(query, context, context, need_weights=False, attn_mask=mask)[0]

    layer("attention-self", Attention(24, 3, batch_first=True), query=torch.randn(2, 11, 24))
    layer("attention-cross", Attention(24, 4, batch_first=True),
          query=torch.randn(2, 11, 24), context=torch.randn(2, 7, 24))
    causal = Attention(24, 2, batch_first=True)
    causal.is_causal = True
    layer("attention-causal", causal, query=torch.randn(2, 9, 24))

    layer("mlp", MLP([7, 16, 16, 3], F.mish, False), x=torch.randn(6, 7))
    layer("mlp-norm", MLP([7, 16, 16, 3], F.relu, True), x=torch.randn(6, 7))
    layer("residual-mlp", ResidualMLP([7, 16, 16, 16, 3], F.relu, False), x=torch.randn(6, 7))
    layer("residual-mlp-norm", ResidualMLP([7, 16, 16, 16, 16, 16, 3], F.mish, True), x=torch.randn(6, 7))

    embedding = nn.Embedding(9, 5)
    indices = torch.tensor([3, 0, 3, 8, 1])
    record(goldens, "embedding", lambda: embedding(indices), {}, list(embedding.named_parameters()))

    times = torch.tensor([0.0, 1.0, 17.0, 999.0])
    for name, shift, cosine_first in [("reference", 1, False), ("diffusers", 0, True)]:
        half = 8
        frequencies = torch.exp(torch.arange(half) * -(math.log(10000) / (half - shift)))
        angles = times[:, None] * frequencies[None]
        parts = [angles.sin(), angles.cos()]
        goldens[f"sinusoidal-{name}/output"] = torch.cat(parts[::-1] if cosine_first else parts, -1)
    save(goldens, "layers.safetensors")


def operations():
    goldens = {}
    x = torch.cat([torch.linspace(-12, 12, 97), torch.tensor([-100.0, -30.0, 1e-4, -1e-4, 25.0, 90.0])])
    activations = {
        "relu": F.relu, "mish": F.mish, "silu": F.silu, "gelu": F.gelu,
        "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
        "geluQuick": lambda x: x * torch.sigmoid(1.702 * x),
        "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": F.softplus}
    for name, function in activations.items():
        record(goldens, f"activation-{name}", function, {"x": x.clone()})
    record(goldens, "exp", torch.exp, {"x": torch.linspace(-20, 20, 81)})
    record(goldens, "log", torch.log, {"x": torch.logspace(-30, 30, 91)})
    record(goldens, "square-root", torch.sqrt, {"x": torch.rand(50) + 0.01})
    record(goldens, "softmax", lambda x: F.softmax(x, -1), {"x": torch.randn(5, 37) * 5})
    record(goldens, "log-softmax", lambda x: F.log_softmax(x, -1), {"x": torch.randn(5, 37) * 5})
    record(goldens, "matmul", torch.matmul, {"a": torch.randn(3, 40, 33), "b": torch.randn(3, 33, 70)})
    record(goldens, "matmul-deep", torch.matmul, {"a": torch.randn(9, 700), "b": torch.randn(700, 12)})
    record(goldens, "upsample", lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
           {"x": torch.randn(2, 5, 3, 4)})
    for causal in (False, True):
        record(goldens, f"sdpa-{'causal' if causal else 'full'}",
               lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
               {name: torch.randn(1, 2, 290, 10) for name in ("query", "key", "value")})
    record(goldens, "clamp", lambda x: x.clamp(-0.5, 0.7), {"x": torch.randn(60)})
    record(goldens, "maximum", torch.maximum, {"a": torch.randn(40), "b": torch.randn(40)})
    record(goldens, "minimum", torch.minimum, {"a": torch.randn(40), "b": torch.randn(40)})
    record(goldens, "gaussian-log-density",
           lambda x, mean, std: torch.distributions.Normal(mean, deviation).log_prob(x),
           {"x": torch.randn(6, 5), "mean": torch.randn(5), "deviation": torch.rand(6, 5) + 0.1})

    def loss(name, function, **inputs):
        record(goldens, f"loss-{name}", function, inputs)

    loss("mse", F.mse_loss, prediction=torch.randn(6, 5), target=torch.randn(6, 5))
    loss("mae", F.l1_loss, prediction=torch.randn(6, 5), target=torch.randn(6, 5))
    loss("huber", lambda a, b: F.huber_loss(a, b, delta=0.7),
         prediction=torch.randn(6, 5) * 2, target=torch.randn(6, 5))
    loss("cross-entropy", lambda x: F.cross_entropy(x, torch.tensor([4, 0, 2, 2, 1, 3])),
         prediction=torch.randn(6, 5) * 3)
    loss("binary-cross-entropy", F.binary_cross_entropy_with_logits,
         prediction=torch.randn(6, 5) * 10, target=torch.rand(6, 5))
    save(goldens, "operations.safetensors")


def optimizers():
    goldens = {}
    cases = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "sgd-momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.02),
        "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=1e-2),
        "adam-penalty": lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), eps=1e-5, weight_decay=0.1),
        "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.05),
        "adamw-clipped": lambda p: torch.optim.AdamW(p, lr=1e-2)}
    steps = 100
    for name, make in cases.items():
        first, second = nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(4))
        goldens[f"{name}/start.first"], goldens[f"{name}/start.second"] = first.clone(), second.clone()
        gradients = torch.randn(steps, 19) * torch.linspace(0.1, 2, 19)
        goldens[f"{name}/gradients"] = gradients
        optimizer = make([first, second])
        trace = []
        for gradient in gradients:
            first.grad, second.grad = gradient[:15].view(5, 3).clone(), gradient[15:].clone()
            if name.endswith("clipped"):
                nn.utils.clip_grad_norm_([first, second], 1.5)
            optimizer.step()
            trace.append(torch.cat([first.flatten(), second]).detach().clone())
        goldens[f"{name}/trace"] = torch.stack(trace)
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.01)
    rates = []
    for _ in range(41):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    goldens["schedule-cosine/rates"] = torch.tensor(rates)
    save(goldens, "optimizers.safetensors")


def randoms():
    goldens = {}
    for seed in (0, 42, 2**33 + 7):
        for size in (1, 5, 15, 16, 17, 40, 1000):
            torch.manual_seed(seed)
            goldens[f"uniform-{seed}-{size}"] = torch.rand(size)
            torch.manual_seed(seed)
            goldens[f"normal-{seed}-{size}"] = torch.randn(size)
    torch.manual_seed(11)
    draws = [torch.randn(5), torch.rand(3), torch.randn(20), torch.randn(4), torch.randn(2, 9)]
    for index, draw in enumerate(draws):
        goldens[f"sequence-{index}"] = draw
    makers = {
        "linear": lambda: nn.Linear(13, 9), "conv1d": lambda: nn.Conv1d(4, 6, 5),
        "conv-transpose1d": lambda: nn.ConvTranspose1d(4, 6, 4), "conv2d": lambda: nn.Conv2d(4, 6, 3),
        "embedding": lambda: nn.Embedding(7, 5), "attention": lambda: nn.MultiheadAttention(12, 3)}
    for name, make in makers.items():
        torch.manual_seed(3)
        for key, parameter in make().named_parameters():
            goldens[f"initial-{name}/{key}"] = parameter
    save(goldens, "randoms.safetensors")


layers()
operations()
optimizers()
randoms()
