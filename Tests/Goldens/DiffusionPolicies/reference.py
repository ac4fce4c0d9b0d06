"""What the generators share: the checkout of the DPPO reference, tiny networks, saving.

Every generator is called as: python GENERATOR.py REFERENCE_CHECKOUT
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

sys.path.insert(0, sys.argv[1])
HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)

TO, DO, TP, DA = 2, 5, 4, 2


def perturb(module, scale=0.1):
    """Moves all trainable parameters off their values, so that norms and deviations count too."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter += scale * torch.randn_like(parameter)


def save(goldens, file):
    """Writes float32, and integers as int64."""
    tensors = {}
    for name, tensor in goldens.items():
        tensor = torch.as_tensor(tensor).detach()
        tensor = tensor.float() if tensor.is_floating_point() else tensor.long()
        tensors[name] = tensor.clone().contiguous()
    save_file(tensors, HERE / file)
    (HERE / file).chmod(0o644)


def record(goldens, case, module, outputs, inputs):
    """Inputs, outputs, weights, and the gradients of sum(output * upstream) for random upstreams."""
    for role, tensor in inputs.items():
        goldens[f"{case}/input.{role}"] = tensor
    leaves = {k: p for k, p in module.named_parameters() if p.requires_grad}
    leaves |= {k: v for k, v in inputs.items() if v.requires_grad}
    total = 0
    for name, output in outputs.items():
        upstream = torch.randn_like(output)
        goldens[f"{case}/{name}"] = output
        goldens[f"{case}/{name.replace('output', 'upstream')}"] = upstream
        total = total + (output * upstream).sum()
    total.backward()
    for name, value in module.state_dict().items():
        goldens[f"{case}/parameter.{name}"] = value
    for name, leaf in leaves.items():
        goldens[f"{case}/gradient.{name}"] = leaf.grad


def mlp():
    from model.diffusion.mlp_diffusion import DiffusionMLP

    return DiffusionMLP(action_dim=DA, horizon_steps=TP, cond_dim=TO * DO, time_dim=8,
                        mlp_dims=[16, 16, 16], activation_type="ReLU", residual_style=True)


def gaussian(**options):
    from model.common.mlp_gaussian import Gaussian_MLP

    return Gaussian_MLP(action_dim=DA, horizon_steps=TP, cond_dim=TO * DO, mlp_dims=[16, 16, 16],
                        activation_type="ReLU", residual_style=True, fixed_std=0.1, **options)


def critic():
    from model.common.critic import CriticObs

    return CriticObs(cond_dim=TO * DO, mlp_dims=[16, 16, 16], activation_type="Mish",
                     residual_style=True)


class RecordedNoise:
    """Keeps what torch.randn and torch.randn_like draw inside a `with` block."""

    def __enter__(self):
        self.draws = []
        self.originals = (torch.randn, torch.randn_like)

        def keeping(function):
            def draw(*args, **kwargs):
                result = function(*args, **kwargs)
                self.draws.append(result.clone())
                return result

            return draw

        torch.randn, torch.randn_like = map(keeping, self.originals)
        return self

    def __exit__(self, *_):
        torch.randn, torch.randn_like = self.originals

    def stacked(self):
        return torch.stack(self.draws)
