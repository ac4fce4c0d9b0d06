"""Writes JPEG files by Pillow (libjpeg-turbo) and what Pillow reads in them.

Usage: python jpeg.py

Made with Pillow 13.0 and safetensors 0.8. NAME/file has the bytes of a file, NAME/image its samples.
"""

import io
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

tensors = {}


def samples(height, width, channels):
    rows, columns = np.mgrid[0:height, 0:width]
    layers = [
        128 + 100 * np.sin(columns / 5 + rows / 9),
        128 + 100 * np.cos(rows / 4),
        (7 * rows + 11 * columns) % 256,
    ]
    return np.stack(layers[:channels], -1).astype(np.uint8).squeeze()


def add(name, height, width, channels=3, **options):
    buffer = io.BytesIO()
    Image.fromarray(samples(height, width, channels)).save(buffer, format="JPEG", **options)
    file = buffer.getvalue()
    image = np.array(Image.open(io.BytesIO(file)))
    tensors[f"{name}/file"] = np.frombuffer(file, np.uint8)
    tensors[f"{name}/image"] = image.reshape(height, width, -1)


add("usual", 32, 40)
add("odd", 33, 45)
add("half", 24, 31, subsampling=1)
add("whole", 17, 24, subsampling=0)
add("fine", 20, 28, quality=95)
add("narrow", 9, 4)
add("grey", 19, 27, channels=1)
add("progressive", 32, 40, progressive=True)
save_file(tensors, pathlib.Path(__file__).parent / "jpeg.safetensors")
