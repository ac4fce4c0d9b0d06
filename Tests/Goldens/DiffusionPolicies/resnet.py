"""Goldens of the encoder of images of Diffusion Policy and LeRobot.

Usage: python resnet.py LEROBOT_CHECKOUT   (needs torch, torchvision, einops, safetensors; writes beside itself)

LeRobot's DiffusionRgbEncoder is loaded from the checkout's one file, what that imports of LeRobot is replaced by what
the class needs. The small network has torchvision's own blocks with 16 to 128 channels instead of 64 to 512. Weights
and images are not stored: both sides draw them from torch.Generator, weights in the order of their names. Tensors are
named <case>/<role>: output, gradient.<parameter> (of sum(output * upstream)) and gradient.<parameter>.sample, every
STRIDEth element. Networks run in double precision.
"""

import math
import pathlib
import sys
import types

import torch
import torchvision
from safetensors.torch import save_file
from torchvision.models.resnet import BasicBlock, ResNet

HERE = pathlib.Path(__file__).parent
WEIGHT_SEED, INPUT_SEED, STRIDE = 7, 11, 997
torch.set_num_threads(1)


def small_resnet(weights=None):
    model = ResNet(BasicBlock, [2, 2, 2, 2])
    model.inplanes = 16
    model.conv1 = torch.nn.Conv2d(3, 16, kernel_size=7, stride=2, padding=3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(16)
    for stage in range(4):
        layer = model._make_layer(BasicBlock, 16 << stage, 2, stride=1 if stage == 0 else 2)
        setattr(model, f"layer{stage + 1}", layer)
    return model


torchvision.models.small_resnet = small_resnet


def output_shape(module, shape):
    with torch.no_grad():
        return tuple(module(torch.zeros(shape)).shape)


def lerobot():
    """The classes of modeling_diffusion.py."""
    def add_module(name, **members):
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module

    names = ["ACTION", "OBS_ENV_STATE", "OBS_IMAGES", "OBS_STATE"]
    for package in ["lerobot", "lerobot.utils", "lerobot.policies", "lerobot.policies.diffusion"]:
        add_module(package, __path__=[])
    add_module("lerobot.utils.constants", **{name: name for name in names})
    add_module("lerobot.utils.import_utils", _diffusers_available=False, require_package=None)
    add_module("lerobot.policies.pretrained", PreTrainedPolicy=torch.nn.Module)
    add_module("lerobot.policies.utils", get_device_from_parameters=None, get_dtype_from_parameters=None,
         get_output_shape=output_shape, populate_queues=None)
    add_module("lerobot.policies.diffusion.configuration_diffusion", DiffusionConfig=object)
    path = pathlib.Path(sys.argv[1]) / "src/lerobot/policies/diffusion/modeling_diffusion.py"
    module = types.ModuleType("lerobot.policies.diffusion.modeling_diffusion")
    module.__package__ = "lerobot.policies.diffusion"
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    return module


def draw_weights(module):
    generator = torch.Generator().manual_seed(WEIGHT_SEED)
    with torch.no_grad():
        for name, weight in sorted(module.named_parameters()):
            values = torch.randn(weight.shape, generator=generator)
            if weight.ndim > 1:
                values *= 1 / math.sqrt(math.prod(weight.shape[1:]))
            else:
                values = values * 0.1 + (1 if name.endswith("weight") else 0)
            weight.copy_(values)


def case(name, classes, *, model, shape, crop=None, keypoints=32, batch=2, seed=INPUT_SEED, gradients=True):
    feature = types.SimpleNamespace(shape=(3, *shape))
    config = types.SimpleNamespace(
        resize_shape=None, crop_shape=crop, crop_is_random=True, vision_backbone=model, use_group_norm=True,
        pretrained_backbone_weights=None, image_features={"image": feature},
        spatial_softmax_num_keypoints=keypoints)
    encoder = classes.DiffusionRgbEncoder(config).eval()
    draw_weights(encoder)
    encoder.double()
    generator = torch.Generator().manual_seed(seed)
    images = (torch.randn(batch, *shape, 3, generator=generator) * 64 + 128).clamp(0, 255).floor()
    upstream = torch.randn(batch, 2 * keypoints, generator=generator).double()
    pixels = (images.double() / 255 - 0.5) / 0.5
    output = encoder(pixels.permute(0, 3, 1, 2))
    goldens[f"{name}/output"] = output
    if gradients:
        (output * upstream).sum().backward()
        for parameter, weight in encoder.named_parameters():
            gradient = weight.grad.flatten()
            key = f"{name}/gradient.{parameter}"
            if gradient.numel() > STRIDE:
                goldens[f"{key}.sample"] = gradient[::STRIDE]
            else:
                goldens[key] = weight.grad


goldens = {}
classes = lerobot()
case("small", classes, model="small_resnet", shape=(48, 64), keypoints=5)
# One place remains: the softmax is over nothing, and its coordinates are -1.
case("one-place", classes, model="small_resnet", shape=(32, 32), keypoints=3)
case("crop", classes, model="small_resnet", shape=(49, 57), crop=(40, 40), keypoints=4)
case("resnet18-84", classes, model="resnet18", shape=(96, 96), crop=(84, 84), batch=1, gradients=False)
# Of images in which no ReLU is nearer than 5e-5 to its edge: rounding moves none to its other side.
case("resnet18", classes, model="resnet18", shape=(48, 48), crop=(40, 40), batch=1, seed=23)
tensors = {name: tensor.detach().float().contiguous() for name, tensor in goldens.items()}
save_file(tensors, HERE / "resnet.safetensors")
(HERE / "resnet.safetensors").chmod(0o644)
