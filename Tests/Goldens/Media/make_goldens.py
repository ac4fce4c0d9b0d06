"""Makes the PNG, resize and sample conversion goldens of MediaTests.

Needs numpy, pillow, torch and diffusers. Run it in this folder: python make_goldens.py

PNG files of every color type, bit depth and interlacing are written here chunk by chunk, because
Pillow cannot write most of them; what they must decode to is what Pillow reads, checked against the
samples that went in.
"""

import base64
import json
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

HERE = Path(__file__).parent
PNGS = HERE / "pngs"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_row(row, depth):
    """The bytes of one row of samples [W, C]."""
    flat = row.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = "".join(format(int(value), f"0{depth}b") for value in flat)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def paeth(a, b, c):
    p = a + b - c
    distances = abs(p - a), abs(p - b), abs(p - c)
    return (a, b, c)[distances.index(min(distances))]


def filtered_rows(samples, depth, channels):
    """All rows of one pass; the five filters take turns."""
    stride = max(1, channels * depth // 8)
    previous = None
    out = b""
    for index, row in enumerate(samples):
        data = packed_row(row, depth)
        if previous is None:
            previous = bytes(len(data))
        kind = index % 5
        line = bytearray()
        for i, value in enumerate(data):
            left = data[i - stride] if i >= stride else 0
            up = previous[i]
            corner = previous[i - stride] if i >= stride else 0
            guess = (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]
            line.append((value - guess) & 255)
        out += bytes([kind]) + bytes(line)
        previous = data
    return out


def png(samples, color_type, depth, interlaced=False, extra=b""):
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    if interlaced:
        passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(filtered_rows(p, depth, channels) for p in passes if p.size)
    else:
        data = filtered_rows(samples, depth, channels)
    compressed = zlib.compress(data)
    half = len(compressed) // 2  # two IDAT chunks: readers must join them
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
        + chunk(b"IDAT", compressed[:half]) + chunk(b"IDAT", compressed[half:]) + chunk(b"IEND"))


def eight_bits(samples, depth):
    if depth == 16:
        return (samples >> 8).astype(np.uint8)
    return (samples * (255 // (2**depth - 1))).astype(np.uint8)


def pillow_samples(data):
    """What Pillow reads, as grey, RGB or RGBA; None for what Pillow's modes cannot hold."""
    image = Image.open(BytesIO(data))
    if image.mode.startswith("I"):
        return None if "transparency" in image.info else (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    has_alpha = "A" in image.mode or "transparency" in image.info
    image = image.convert("RGBA" if has_alpha else "RGB" if image.mode in ("P", "RGB") else "L")
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def make_pngs():
    rng = np.random.default_rng(3)
    expected = {}

    def add(name, samples, color_type, depth, result, interlaced=False, extra=b"", check=True):
        data = png(samples, color_type, depth, interlaced, extra)
        (PNGS / f"{name}.png").write_bytes(data)
        seen = pillow_samples(data)
        if check and seen is not None:
            assert seen.shape == result.shape and (seen == result).all(), name
        height, width, channels = result.shape
        expected[name] = {
            "width": width, "height": height, "channelCount": channels,
            "samples": base64.b64encode(result.tobytes()).decode()}

    size = (11, 13)
    depths = {GREY: [1, 2, 4, 8, 16], RGB: [8, 16], PALETTE: [1, 2, 4, 8], GREY_ALPHA: [8, 16], RGBA: [8, 16]}
    names = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "greyalpha", RGBA: "rgba"}
    for color_type, choices in depths.items():
        for depth in choices:
            samples = rng.integers(0, 2**depth, (*size, CHANNELS[color_type]))
            colors = rng.integers(0, 256, (2**depth if depth <= 8 else 0, 3), dtype=np.uint8)
            extra = b""
            if color_type == PALETTE:
                extra = chunk(b"PLTE", colors.tobytes())
                result = colors[samples[..., 0]]
            else:
                result = eight_bits(samples, depth)
                if color_type == GREY_ALPHA:
                    result = result[..., [0, 0, 0, 1]]
            for interlaced in (False, True):
                name = f"{names[color_type]}{depth}" + ("-interlaced" if interlaced else "")
                add(name, samples, color_type, depth, result, interlaced, extra)

    # Transparent colors.
    colors = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    alphas = rng.integers(0, 256, 9, dtype=np.uint8)
    samples = rng.integers(0, 16, (*size, 1))
    result = np.concatenate([colors, np.append(alphas, [255] * 7)[:, None].astype(np.uint8)], 1)[samples[..., 0]]
    extra = chunk(b"PLTE", colors.tobytes()) + chunk(b"tRNS", alphas.tobytes())
    add("palette4-transparent", samples, PALETTE, 4, result, extra=extra)
    samples = rng.integers(0, 4, (*size, 1)) * 80
    alpha = np.where(samples == 160, 0, 255)
    result = np.concatenate([samples] * 3 + [alpha], -1).astype(np.uint8)
    add("grey8-transparent", samples, GREY, 8, result, extra=chunk(b"tRNS", struct.pack(">H", 160)))
    samples = rng.integers(0, 2, (*size, 3)) * 200
    alpha = np.where((samples == [200, 0, 200]).all(-1, keepdims=True), 0, 255)
    result = np.concatenate([samples, alpha], -1).astype(np.uint8)
    add("rgb8-transparent", samples, RGB, 8, result, extra=chunk(b"tRNS", struct.pack(">HHH", 200, 0, 200)))
    # Only the exact 16-bit grey is transparent, not its neighbour with the same upper byte.
    samples = rng.integers(0, 2, (*size, 1)) + 0x1234
    result = np.concatenate([samples >> 8] * 3 + [np.where(samples == 0x1234, 0, 255)], -1).astype(np.uint8)
    add("grey16-transparent", samples, GREY, 16, result, extra=chunk(b"tRNS", struct.pack(">H", 0x1234)))

    # Gamma and profile chunks leave the samples alone; one-pixel passes; a background is not used.
    samples = rng.integers(0, 256, (*size, 3))
    extra = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"bKGD", struct.pack(">HHH", 9, 9, 9))
    add("rgb8-gamma", samples, RGB, 8, samples.astype(np.uint8), extra=extra)
    samples = rng.integers(0, 256, (1, 1, 3))
    add("rgb8-one-pixel-interlaced", samples, RGB, 8, samples.astype(np.uint8), True)
    samples = rng.integers(0, 256, (3, 2, 1))
    add("grey8-six-pixels-interlaced", samples, GREY, 8, samples.astype(np.uint8), True)
    # Written by Pillow itself.
    samples = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    Image.fromarray(samples).save(PNGS / "rgba8-pillow.png")
    expected["rgba8-pillow"] = {
        "width": 13, "height": 11, "channelCount": 4,
        "samples": base64.b64encode(samples.tobytes()).decode()}
    (HERE / "pngs.json").write_text(json.dumps(expected, indent=0) + "\n")


def make_resizes():
    """Noise over a slope with hard edges, in the sizes that shrink, grow and do both."""
    rng = np.random.default_rng(4)
    height, width = 29, 37
    y, x = np.mgrid[:height, :width]
    base = np.stack([x * 6, y * 8, (x // 5 + y // 7) % 2 * 255, 255 - (x + y) * 4], -1)
    pixels = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
    pixels[5:12, 8:20, 3] = 0
    methods = {"nearest": Image.NEAREST, "area": Image.BOX, "bicubic": Image.BICUBIC}
    cases = []
    for channels in (1, 3, 4):
        source = pixels[..., 0] if channels == 1 else pixels[..., :channels]
        image = Image.fromarray(source)
        for name, method in methods.items():
            for size in ((16, 12), (50, 41), (37, 13), (5, 60), (1, 1)):
                result = image.resize(size, method)
                cases.append({
                    "method": name, "channelCount": channels, "width": size[0], "height": size[1],
                    "samples": base64.b64encode(result.tobytes()).decode()})
    golden = {
        "width": width, "height": height, "pixels": base64.b64encode(pixels.tobytes()).decode(),
        "cases": cases}
    (HERE / "resizes.json").write_text(json.dumps(golden, indent=0) + "\n")


def make_conversions():
    """Tensors [1, 3, 4, 5] through diffusers' VaeImageProcessor, both ways."""
    halves = [(2 * (k + 0.5) / 255 - 1) for k in range(0, 250, 10)]
    edges = [-1.0, 1.0, 0.0, -3.0, 2.5, 1 / 255, -1 / 255, 0.0039, 1e-8]
    generator = torch.Generator().manual_seed(5)
    values = torch.cat([
        torch.tensor(halves + edges), torch.randn(60 - len(halves) - len(edges), generator=generator)])
    tensor = values.reshape(1, 4, 5, 3).permute(0, 3, 1, 2)
    processor = VaeImageProcessor(vae_scale_factor=1)
    image = processor.postprocess(tensor, output_type="pil")[0]
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3))
    back = processor.preprocess(ramp)[0, 0].flatten()
    golden = {
        "elements": [float(v) for v in values],
        "samples": base64.b64encode(image.tobytes()).decode(),
        "ramp": [float(v) for v in back]}
    (HERE / "conversions.json").write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    PNGS.mkdir(exist_ok=True)
    make_pngs()
    make_resizes()
    make_conversions()
