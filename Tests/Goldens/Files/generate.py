"""Writes the files that FilesTests reads, with the libraries that Attune must agree with.

Run in this folder with numpy, torch, safetensors and h5py installed:  python generate.py
expected.json holds the type, shape and elements of every tensor of every readable file.
"""

import collections
import io
import json
import os
import pickle
import zipfile

import h5py
import numpy as np
import safetensors.torch
import torch

expected = {}


def expect(file, tensors):
    """Remembers what a file holds; torch and numpy arrays alike."""
    entries = {}
    for name, array in tensors.items():
        if isinstance(array, torch.Tensor):
            kind = str(array.dtype).removeprefix("torch.")
            values = array.detach().to(torch.float64).flatten().tolist()
        else:
            array = np.asarray(array)
            kind = str(array.dtype)
            values = array.astype(np.float64).flatten().tolist()
        entries[name] = {"type": kind, "shape": list(array.shape), "values": values}
    expected[file] = entries


torch.manual_seed(7)
random = np.random.default_rng(7)

# safetensors ------------------------------------------------------------------------------------

base = torch.randn(3, 5)
every_type = {
    "half": base.half(),
    "brain": base.bfloat16(),
    "single": base,
    "double": base.double(),
    "long": torch.tensor([[-(2**40), 2**40], [0, 1]]),
    "int": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
    "short": torch.tensor([-32768, 32767], dtype=torch.int16),
    "char": torch.tensor([-128, 127, 0], dtype=torch.int8),
    "byte": torch.tensor([0, 128, 255], dtype=torch.uint8),
    "flags": torch.tensor([True, False, True]),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
    "nämé \n": torch.ones(1),
}
safetensors.torch.save_file(every_type, "types.safetensors", {"format": "pt", "quote": '"\\\n'})
expect("types.safetensors", every_type)

shards = {"model-00001-of-00002.safetensors": {"a": base}, "model-00002-of-00002.safetensors": {"b": base + 1}}
weight_map = {}
for file, tensors in shards.items():
    safetensors.torch.save_file(tensors, file)
    weight_map |= dict.fromkeys(tensors, file)
with open("model.safetensors.index.json", "w") as index:
    json.dump({"metadata": {"total_size": 120, "x": [1.5e3, None, {}]}, "weight_map": weight_map}, index, indent=2)
expect("model.safetensors.index.json", {"a": base, "b": base + 1})

# NumPy ------------------------------------------------------------------------------------------

arrays = {
    "c_float32": random.normal(size=(4, 3)).astype("<f4"),
    "fortran_float64": np.asfortranarray(random.normal(size=(2, 3, 4))),
    "fortran_int16": np.asfortranarray(np.arange(6, dtype="<i2").reshape(2, 3)),
    "fortran_uint8": np.asfortranarray(np.arange(6, dtype="|u1").reshape(3, 2)),
    "half": np.array([1.5, -0.25, 65504], dtype="<f2"),
    "int64": np.array([-(2**40), 7]),
    "int32": np.array([[-(2**31)], [2**31 - 1]], dtype="<i4"),
    "int8": np.array([-128, 127], dtype="|i1"),
    "bool": np.array([[True], [False]]),
    "scalar": np.float32(3.25),
    "empty": np.zeros((0, 2), dtype="<f4"),
}
for name, version in [("c_float32", (1, 0)), ("fortran_float64", (2, 0)), ("int32", (3, 0))]:
    with open(f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, np.asanyarray(arrays[name]), version=version)
    expect(f"{name}.npy", {"": arrays[name]})
np.savez("stored.npz", **arrays)
expect("stored.npz", arrays)
np.savez_compressed("deflated.npz", **arrays, zeros=np.zeros((50, 100)))
expect("deflated.npz", {**arrays, "zeros": np.zeros((50, 100))})

np.save("big_endian.npy", np.arange(3, dtype=">f4"))
expect("big_endian.npy", {"": np.arange(3, dtype="<f4")})
np.save("objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
np.save("structured.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))

# DPPO's demonstrations: episodes one after the other, and their lengths.
demonstrations = {
    "states": random.normal(size=(9, 5)).astype("<f4"),
    "actions": random.normal(size=(9, 2)).astype("<f4"),
    "traj_lengths": np.array([4, 5]),
}
np.savez("demonstrations.npz", **demonstrations)
expect("demonstrations.npz", demonstrations)

# HDF5 -------------------------------------------------------------------------------------------


def write_hdf5(path, library):
    with h5py.File(path, "w", libver=library) as file:
        file.attrs["title"] = "demonstrations"
        file.attrs["fixed"] = np.bytes_("fixed text")
        file.attrs["texts"] = ["a", "bc"]
        file.attrs["count"] = np.int32(-3)
        file.attrs["rates"] = np.array([0.5, 0.25])
        file.attrs["flag"] = True
        file.attrs["nothing"] = h5py.Empty("f4")
        file.attrs["long"] = np.arange(100)
        plain = random.normal(size=(6, 3)).astype("<f4")
        file["plain"] = plain
        group = file.create_group("data/demo_0/obs")
        group.parent.attrs["num_samples"] = 30
        chunked = random.normal(size=(30, 4))
        options = dict(chunks=(7, 3), compression="gzip", shuffle=True, fletcher32=True, maxshape=(None, 4))
        group.create_dataset("chunked", data=chunked, **options)
        group["chunked"].attrs["unit"] = "m"
        tensors = {"plain": plain, "data/demo_0/obs/chunked": chunked}
        more = {
            "half": np.array([1.5, -0.25, 65504, 6e-8], dtype="<f2"),
            "big_endian": np.arange(4, dtype=">f4"),
            "long": np.array([-(2**40), 7]),
            "int": np.array([-(2**31), 3], dtype="<i4"),
            "short": np.array([-32768, 3], dtype=">i2"),
            "char": np.array([-128, 127], dtype="|i1"),
            "byte": np.arange(12, dtype="|u1").reshape(2, 2, 3),
            "unsigned": np.arange(3, dtype="<u4"),
            "flags": np.array([True, False]),
            "scalar": np.float64(0.125),
            "empty": np.zeros((0, 2), dtype="<f4"),
        }
        for name, array in more.items():
            file[name] = array
            tensors[name] = array.astype(array.dtype.newbyteorder("=")) if array.ndim else array
        file.create_dataset("unwritten", shape=(2, 2), dtype="<f4", fillvalue=1.5)
        tensors["unwritten"] = np.full((2, 2), 1.5, dtype="<f4")

        # Many links in one group use another structure in the newest format.
        for index in range(40):
            file[f"many/{index:02}"] = np.float32(index)
            tensors[f"many/{index:02}"] = np.float32(index)

        file["loop"] = file["/"]
        file["data/loop"] = file["data"]
        file["soft"] = h5py.SoftLink("/data/demo_0/obs/chunked")
        tensors["soft"] = chunked
        file["soft_loop"] = h5py.SoftLink("/soft_loop")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["outside"] = h5py.ExternalLink("plain.h5", "/plain")
        expect(path, tensors)

        # None of these can be read as numbers, but all are listed.
        file["texts"] = np.array([b"abc", b"de"])
        file["variable_texts"] = ["abc", "de"]
        file["compound"] = np.zeros(2, dtype=[("a", "<f4")])
        file["nothing"] = h5py.Empty("f4")
        file.create_dataset("lzf", data=np.zeros((20, 20)), compression="lzf")
        file.create_dataset("scaled", data=np.zeros((20, 20)), chunks=(4, 4), scaleoffset=2)
        file.create_dataset("external", shape=(4,), dtype="<f4", external=[("generate.py", 0, 16)])
        layout = h5py.VirtualLayout(shape=(6, 3), dtype="<f4")
        layout[:] = h5py.VirtualSource("other.h5", "plain", shape=(6, 3))
        file.create_virtual_dataset("virtual", layout)


write_hdf5("earliest.h5", "earliest")
write_hdf5("newest.h5", ("v110", "v110"))
with h5py.File("user_block.h5", "w", userblock_size=1024, libver="earliest") as file:
    file["x"] = np.arange(3, dtype="<f4")
expect("user_block.h5", {"x": np.arange(3, dtype="<f4")})

# One damaged byte each, for which libhdf5 1.10 crashes or loops for ever.
with h5py.File("sound.h5", "w", libver="earliest") as file:
    file.attrs["texts"] = ["a", "bc"]
    file["x"] = np.arange(3, dtype="<f4")
with open("sound.h5", "rb") as file:
    sound = file.read()
os.remove("sound.h5")
for name, position, value in [
    # The number of the attribute's elements.
    ("crashes.h5", sound.index(b"texts") + 70, 0x80),
    # The size of the first object in the heap.
    ("loops.h5", sound.index(b"GCOL") + 25, 1),
]:
    with open(name, "wb") as file:
        file.write(sound[:position] + bytes([value]) + sound[position + 1 :])

# PyTorch ----------------------------------------------------------------------------------------

network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Mish(), torch.nn.LayerNorm(4))
whole = torch.arange(24.0).reshape(4, 6)
checkpoint = {
    "epoch": 200,
    "model": network.state_dict(),
    "ema": {name: value * 0.5 for name, value in network.state_dict().items()},
    "whole": whole,
    "transposed": whole.T,
    "slice": whole[1:3, 2:5],
    "column": whole[:, 3],
    "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
    "types": [value for value in every_type.values()],
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "numpy_number": np.float64(0.25),
    "numpy_integer": np.int64(-5),
    "numpy_boolean": np.bool_(True),
    "numpy_array": np.arange(6, dtype="<f8").reshape(2, 3),
    "numpy_fortran": np.asfortranarray(np.arange(6, dtype="<i8").reshape(2, 3)),
    "nested": [1, (2.5, None, True, False, "täxt"), {"deep": [[-1, 2**40, -(2**40), 300, -(2**31)]]}],
    "bytes": b"\x00\xff",
    "size": whole.shape,
    "dtype": torch.float32,
    "device": torch.device("cpu"),
    3: "integer key",
}


def flat(value, prefix=""):
    """Tensors by the names that Attune gives them."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    tensors = {}
    for key, item in items:
        name = f"{prefix}/{key}" if prefix else str(key)
        if isinstance(item, (torch.Tensor, np.ndarray)):
            tensors[name] = item
        elif isinstance(item, (dict, list, tuple)):
            tensors |= flat(item, name)
    return tensors


for protocol in range(2, 6):
    torch.save(checkpoint, f"checkpoint{protocol}.pt", pickle_protocol=protocol)
    expect(f"checkpoint{protocol}.pt", flat(checkpoint))

optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
network(torch.ones(2, 3)).sum().backward()
optimizer.step()
torch.save(optimizer.state_dict(), "optimizer.pth")
expect("optimizer.pth", flat(optimizer.state_dict()))


def rewrite(source, target, change):
    """Copies a zip archive and changes its pickle."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            contents = old.read(member)
            new.writestr(member.filename, change(contents) if member.filename.endswith("data.pkl") else contents)


# NumPy before 2.0 named the same functions otherwise.
rewrite("checkpoint2.pt", "old_numpy.pt", lambda pkl: pkl.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
expected["old_numpy.pt"] = expected["checkpoint2.pt"]


class Command:
    def __reduce__(self):
        return os.system, ("touch attune-was-here",)


torch.save({"weight": torch.ones(1), "command": Command()}, "command.pt")
torch.save(network, "module.pt")
torch.save({"weight": torch.ones(2)}, "legacy.pt", _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.script(network), "script.pt")
torch.save({"set": {1, 2}}, "set.pt")
torch.save({"long": 2**70}, "long.pt")

with open("expected.json", "w") as file:
    json.dump(expected, file, separators=(",", ":"), sort_keys=True)
