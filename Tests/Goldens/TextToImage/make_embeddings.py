"""Files of learned tokens as torch.save writes them, made without PyTorch.

Usage: python make_embeddings.py

Writes beside itself:
  embeddings/learned_embeds.bin  {"<cat-toy>": [16]}, as diffusers' training writes it
  embeddings/style.pt            {"string_to_param": {"*": [2, 16]}, "name": "my-style", ...}, as other programs do
Element i of a tensor is i / 8.
"""

import collections
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile

HERE = pathlib.Path(__file__).parent / "embeddings"


def stand_in(module, name, value):
    """Makes pickle write a value as module.name."""
    value.__module__, value.__qualname__ = module, name
    setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, value)
    return value


FloatStorage = stand_in("torch", "FloatStorage", type("FloatStorage", (), {}))
rebuild = stand_in("torch._utils", "_rebuild_tensor_v2", lambda *arguments: None)


class Tensor:
    def __init__(self, *shape):
        self.shape = shape
        self.count = 1
        for size in shape:
            self.count *= size

    def __reduce__(self):
        stride = (self.shape[1], 1) if len(self.shape) == 2 else (1,)
        return rebuild, (Storage(self.count), 0, self.shape, stride, False, collections.OrderedDict())


class Storage:
    def __init__(self, count):
        self.count = count


def save(value, path):
    storages = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            storages.append(item)
            return ("storage", FloatStorage, str(len(storages) - 1), "cpu", item.count)

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(value)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def write(name, data):
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}"), data)

        write("data.pkl", stream.getvalue())
        for index, storage in enumerate(storages):
            write(f"data/{index}", struct.pack(f"<{storage.count}f", *[i / 8 for i in range(storage.count)]))
        write("version", "3\n")


def main():
    HERE.mkdir(exist_ok=True)
    save({"<cat-toy>": Tensor(16)}, HERE / "learned_embeds.bin")
    save({"string_to_token": {"*": 265}, "string_to_param": {"*": Tensor(2, 16)}, "name": "my-style", "step": 500,
          "sd_checkpoint": None, "sd_checkpoint_name": None}, HERE / "style.pt")


if __name__ == "__main__":
    main()
