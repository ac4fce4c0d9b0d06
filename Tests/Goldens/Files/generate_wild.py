"""Writes files as they are met in the wild, which FilesTests reads; no torch is needed.

Run in this folder with numpy, h5py and omegaconf installed:  python generate_wild.py
The .pt files are pickled by Python itself from real objects; only the classes of torch, which pickles
name and do not contain, are stand-ins here.
"""

import argparse
import collections
import enum
import io
import json
import pathlib
import pickle
import sys
import types
import zipfile

import h5py
import numpy as np
import omegaconf

expected = {}


def expect(file, arrays):
    expected[file] = {
        name: {"type": str(array.dtype.newbyteorder("=")), "shape": list(array.shape),
               "values": array.astype(np.float64).flatten().tolist()}
        for name, array in arrays.items()
    }


arrays = {
    "uint16": np.array([0, 40000, 65535], dtype="<u2"),
    "uint32": np.array([[0], [2**32 - 1]], dtype="<u4"),
    "uint64": np.array([1, 2**53], dtype="<u8"),
    "big_uint16": np.array([1, 40000], dtype=">u2"),
    "big_uint32": np.array([1, 2**31 + 7], dtype=">u4"),
    "big_uint64": np.array([1, 2**40], dtype=">u8"),
    "big_int32": np.array([-5, 7], dtype=">i4"),
    "big_int64": np.array([-(2**40), 7], dtype=">i8"),
    "big_float16": np.array([1.5, -0.25], dtype=">f2"),
    "big_float32": np.array([[1.5, -0.25], [3, 1e-3]], dtype=">f4"),
    "big_float64": np.array([1.5, -1e300], dtype=">f8"),
    "big_fortran": np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
}

# Arrays of texts, objects and records beside those of numbers.
np.savez("wild.npz", **arrays, names=np.array(["a", "bc"]), things=np.array([{}, 1], dtype=object),
         records=np.zeros(2, dtype=[("a", "<f4")]), bytes=np.array([b"abc", b"de"]))
expect("wild.npz", arrays)

numbers = {name: array for name, array in arrays.items()}
with h5py.File("wild.h5", "w", libver="earliest") as file:
    for name, array in numbers.items():
        file[name] = array
    # robomimic's masks, and texts in all their forms.
    file["mask/train"] = np.array([b"demo_0", b"demo_10"])
    file.create_dataset("mask/padded", data=np.array([b"demo_0", b"x"], dtype="S20"), compression="gzip",
                        chunks=(1,))
    file.create_dataset("mask/variable", data=["demo_0", "dömo", ""], dtype=h5py.string_dtype())
    file["mask/utf8"] = np.array(["dömo".encode()], dtype=h5py.string_dtype("utf-8", 12))
    file["mask/empty"] = np.zeros(0, dtype="S4")
    spaces = h5py.h5t.C_S1.copy()
    spaces.set_size(8)
    spaces.set_strpad(h5py.h5t.STR_SPACEPAD)
    space = h5py.h5s.create_simple((2,))
    dataset = h5py.h5d.create(file["mask"].id, b"spaces", spaces, space)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([b"demo_3  ", b"demo_44 "]), mtype=spaces)
    file.create_group("data").attrs["env_args"] = json.dumps({"env_name": "Lift", "padding": "x" * 70000})
    file["data"].attrs["fixed_args"] = np.bytes_(b'{"env_name": "Can"}')
expect("wild.h5", numbers)

# Stand-ins for what torch's pickles name ---------------------------------------------------------


def module(name):
    return sys.modules.setdefault(name, types.ModuleType(name))


def named(where, name, value):
    value.__module__, value.__qualname__, value.__name__ = where, name, name
    setattr(module(where), name, value)
    return value


for parent in ["torch", "torch._utils", "torch._tensor", "torch.storage", "torch.nn", "torch.nn.modules",
               "torch.nn.modules.activation", "torch.optim.lr_scheduler", "torch.optim", "diffusion_policy", "diffusion_policy.config"]:
    module(parent)
rebuild = named("torch._utils", "_rebuild_tensor_v2", lambda *a: None)
rebuild_typed = named("torch._utils", "_rebuild_tensor_v3", lambda *a: None)
rebuild_parameter = named("torch._utils", "_rebuild_parameter_with_state", lambda *a: None)
rebuild_type = named("torch._tensor", "_rebuild_from_type_v2", lambda *a: None)
storages = {"float32": "FloatStorage", "int64": "LongStorage"}
storages = {kind: named("torch", name, type(name, (), {})) for kind, name in storages.items()}
untyped = named("torch.storage", "UntypedStorage", type("UntypedStorage", (), {}))
mish = named("torch.nn.modules.activation", "Mish", type("Mish", (), {}))
scheduler = named("torch.optim.lr_scheduler", "LambdaLR", type("LambdaLR", (), {}))
configuration = named("diffusion_policy.config", "Config", type("Config", (), {}))
Kind = named("diffusion_policy.config", "Kind", enum.Enum("Kind", ["eps", "x0"]))


class Type:
    """A torch.dtype, which is pickled by its name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


for kind in ["float32", "uint16", "uint32", "uint64", "int64", "float8_e4m3fn"]:
    setattr(module("torch"), kind, Type(kind))
    getattr(module("torch"), kind).__module__ = "torch"


class Storage:
    def __init__(self, array):
        self.array = array


class Tensor:
    def __init__(self, array, wrapping=None, kind=None):
        self.array = np.ascontiguousarray(array)
        self.kind = kind or str(self.array.dtype)
        self.wrapping = wrapping

    def __reduce__(self):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        common = (Storage(self), 0, self.array.shape, strides, False, collections.OrderedDict())
        if self.kind in storages:
            call = (rebuild, common)
        else:
            call = (rebuild_typed, (*common, getattr(module("torch"), self.kind)))
        if self.wrapping == "parameter":
            return rebuild_parameter, (Tensor(self.array), True, collections.OrderedDict(), {"note": 1})
        if self.wrapping == "attributes":
            return rebuild_type, (call[0], mish, call[1], {"note": 1})
        return call


class Pickler(pickle._Pickler):
    storages = None

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        tensor = value.array
        key = str(len(self.storages))
        self.storages[key] = tensor.array.tobytes()
        kind = storages.get(tensor.kind, untyped)
        count = tensor.array.size if tensor.kind in storages else tensor.array.nbytes
        return "storage", kind, key, "cpu", count


def save(path, value, protocol=2):
    stream = io.BytesIO()
    pickler = Pickler(stream, protocol)
    pickler.storages = {}
    pickler.dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, contents in pickler.storages.items():
            archive.writestr(f"archive/data/{key}", contents)


weights = {
    "weight": np.arange(6, dtype="<f4").reshape(2, 3),
    "bias": np.array([0.5, -0.5], dtype="<f4"),
}
wide = {
    "uint16": np.array([0, 40000], dtype="<u2"),
    "uint32": np.array([1, 2**32 - 1], dtype="<u4"),
    "uint64": np.array([1, 2**40], dtype="<u8"),
}
holder = configuration()
holder.mean = Tensor(np.ones(3, dtype="<f4"))
holder.self = holder
counts = collections.defaultdict(list)
counts["steps"] = 3
checkpoint = {
    "model": collections.OrderedDict((name, Tensor(array)) for name, array in weights.items()),
    "parameter": Tensor(weights["bias"], "parameter"),
    "attributes": Tensor(weights["bias"], "attributes"),
    "wide": {name: Tensor(array) for name, array in wide.items()},
    "args": argparse.Namespace(lr=1e-3, path=pathlib.PurePosixPath("/x"), layers=(1, 2)),
    "cfg": omegaconf.OmegaConf.create({"model": {"dim": 3, "dims": [1, 2]}, "name": "${model.dim}"}),
    "holder": holder,
    "kind": Kind.eps,
    "class": mish,
    "scheduler": scheduler(),
    "set": {1, 2},
    "frozen": frozenset("ab"),
    "complex": 1 + 2j,
    "big": 2**70,
    "counts": counts,
    "names": np.array(["a", "bc"]),
    "things": np.array([{}, 1], dtype=object),
    "rng": np.random.default_rng(1).bit_generator.state,
    "generator": np.random.RandomState(1),
    "big_endian": np.arange(4, dtype=">f4"),
    "big_number": np.dtype(">f8").type(0.25),
    "epoch": 7,
}
held = {
    **{f"model/{name}": array for name, array in weights.items()},
    "parameter": weights["bias"],
    "attributes": weights["bias"],
    **{f"wide/{name}": array for name, array in wide.items()},
    "big_endian": np.arange(4, dtype="<f4"),
}
for protocol in range(2, 6):
    save(f"wild{protocol}.pt", checkpoint, protocol)
    expect(f"wild{protocol}.pt", held)
save("held.pt", holder)
save("float8.pt", {"weight": Tensor(np.zeros(4, dtype="u1"), kind="float8_e4m3fn")})

with open("expected_wild.json", "w") as file:
    json.dump(expected, file, separators=(",", ":"), sort_keys=True)

# What libhdf5 1.10 refuses, beside what it reads: a chunked dataset of HDF5 2.0, and complex numbers.
assert h5py.version.hdf5_version_tuple >= (2, 0, 0)
with h5py.File("version2.h5", "w", libver="latest") as file:
    file["x"] = np.arange(3, dtype="<f4")
    file.create_dataset("chunked", data=np.zeros((8, 8), dtype="<f4"), chunks=(4, 4), compression="gzip")
with h5py.File("complex.h5", "w", libver=("earliest", "latest")) as file:
    file["x"] = np.arange(3, dtype="<f4")
    h5py.h5d.create(file.id, b"complex", h5py.h5t.COMPLEX_IEEE_F32LE, h5py.h5s.create_simple((2,)))
