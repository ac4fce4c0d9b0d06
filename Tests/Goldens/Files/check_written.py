"""Reads what Attune wrote with the libraries that others read it with.

FilesTests runs it as  python check_written.py FOLDER  where numpy, torch and safetensors are
installed; it ends with status 77 where they are not.
"""

import sys
import zipfile

try:
    import numpy as np
    import safetensors.numpy
    import safetensors.torch
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

folder = sys.argv[1]

tensors = safetensors.torch.load_file(f"{folder}/written.safetensors")
with safetensors.safe_open(f"{folder}/written.safetensors", "pt") as file:
    assert file.metadata() == {"key": 'va"l\\ue\n', "ünï": "cödé"}, file.metadata()
assert set(tensors) == {"float", "half", "brain", "double", "long", "byte", "flag", "scalar", "empty", "ünï \n"}
assert tensors["float"].tolist() == [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]
assert tensors["half"].dtype == torch.float16 and tensors["half"].tolist() == [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]
assert tensors["brain"].dtype == torch.bfloat16 and tensors["brain"].tolist() == [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]
assert tensors["double"].dtype == torch.float64 and tensors["double"].tolist() == [0.1]
assert tensors["long"].dtype == torch.int64 and tensors["long"].tolist() == [-(2**40), 3]
assert tensors["byte"].dtype == torch.uint8 and tensors["byte"].tolist() == [1, 2, 255]
assert tensors["flag"].dtype == torch.bool and tensors["flag"].tolist() == [True]
assert tensors["scalar"].shape == () and tensors["scalar"].item() == 2.5
assert tensors["empty"].shape == (0, 3)

for name in ["stored.npz", "deflated.npz", "wide.npz"]:
    with zipfile.ZipFile(f"{folder}/{name}") as archive:
        assert archive.testzip() is None
    arrays = np.load(f"{folder}/{name}", allow_pickle=False)
    assert set(arrays) == {"states", "lengths", "scalar", "flags", "zeros"}, set(arrays)
    assert arrays["states"].dtype == np.float32 and arrays["states"].tolist() == [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]
    assert arrays["lengths"].dtype == np.int64 and arrays["lengths"].tolist() == [4, 5]
    assert arrays["scalar"].shape == () and arrays["scalar"] == 2.5
    assert arrays["flags"].dtype == np.bool_ and arrays["flags"].tolist() == [True, False]
    assert arrays["zeros"].shape == (300, 100) and not arrays["zeros"].any()

array = np.load(f"{folder}/written.npy", allow_pickle=False)
assert array.dtype == np.float32 and array.tolist() == [[1.5, -2.0, 3.0], [4.0, 5.0, 6.0]]
print("all read as they were written")
