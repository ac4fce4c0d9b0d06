"""Writes the weights of pretrained.pt again in other forms that checkpoints are found in: forms/*.pt.

Usage: python checkpoint_forms.py

Needs Python alone: a stand-in for torch reads and writes the files of torch.save.
"""

import collections
import io
import pathlib
import pickle
import sys
import types
import zipfile

folder = pathlib.Path(__file__).parent
torch = types.ModuleType("torch")
torch._utils = types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": torch._utils})


class FloatStorage:
    """Names the type of a storage."""


FloatStorage.__module__ = "torch"
torch.FloatStorage = FloatStorage


class Tensor:
    """The arguments that rebuild a tensor; the first is its bytes."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


def _rebuild_tensor_v2(*arguments):
    return Tensor(*arguments)


_rebuild_tensor_v2.__module__ = "torch._utils"
torch._utils._rebuild_tensor_v2 = _rebuild_tensor_v2


class Storage:
    def __init__(self, contents, count):
        self.contents = contents
        self.count = count


def load(path):
    with zipfile.ZipFile(path) as file:
        top = file.namelist()[0].split("/")[0]

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, identity):
                return Storage(file.read(f"{top}/data/{identity[2]}"), identity[4])

        return Unpickler(io.BytesIO(file.read(f"{top}/data.pkl"))).load()


def save(value, name):
    storages = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            if value not in storages:
                storages.append(value)
            key = str(storages.index(value))
            return "storage", FloatStorage, key, "cpu", value.count

    pickled = io.BytesIO()
    Pickler(pickled, protocol=2).dump(value)
    with zipfile.ZipFile(folder / "forms" / f"{name}.pt", "w") as file:
        def write(path, contents):
            file.writestr(zipfile.ZipInfo(f"{name}/{path}"), contents)

        write("data.pkl", pickled.getvalue())
        write("byteorder", b"little")
        for index, storage in enumerate(storages):
            write(f"data/{index}", storage.contents)
        write("version", b"3\n")


def renamed(weights, rename):
    return collections.OrderedDict((rename(name), weights[name]) for name in weights)


checkpoint = load(folder / "pretrained.pt")
model, ema = checkpoint["model"], checkpoint["ema"]
inner = {name: name.removeprefix("network.") for name in model}
(folder / "forms").mkdir(exist_ok=True)

save(
    {key: renamed(checkpoint[key], lambda name: f"module.{name}") for key in ["model", "ema"]},
    "data-parallel",
)
save({"model": renamed(model, lambda name: f"_orig_mod.{name}")}, "compiled")
save({"model": renamed(model, lambda name: f"network._orig_mod.{inner[name]}")}, "compiled-network")
save(renamed(model, lambda name: name), "bare")
save(renamed(model, lambda name: inner[name]), "bare-network")
save(
    {
        "state_dict": renamed(model, lambda name: f"model.{name}"),
        "optimizer_states": [{"state": {0: {"exp_avg": next(iter(model.values()))}}}],
        "global_step": 7,
    },
    "lightning",
)
save({"epoch": 3000, "ema": ema}, "average-only")
save({"model_ema": ema, "model_state_dict": model}, "other-keys")
save({"first": model, "second": model}, "ambiguous")
save({"model": model | renamed(model, lambda name: f"module.{name}")}, "twice")
