"""Makes the videos of MediaTests that other programs write, and what is in them.

Needs av (PyAV), numpy and pillow. Run it in this folder: python make_video_goldens.py

What a GIF or PNG must decode to is what Pillow reads, laid over black. What a lossy video must
decode to is what went in: quadrants of flat colors, of which the middles are compared.
"""

import base64
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageSequence

HERE = Path(__file__).parent
VIDEOS = HERE / "videos"
COLORS = [(224, 32, 32), (32, 192, 64), (32, 64, 224), (240, 240, 240), (16, 16, 16), (200, 160, 40)]


def quadrants(index, width=48, height=32):
    """Four flat colors that take turns."""
    frame = np.zeros((height, width, 3), np.uint8)
    for place in range(4):
        top, left = place // 2 * height // 2, place % 2 * width // 2
        frame[top : top + height // 2, left : left + width // 2] = COLORS[(index + place) % len(COLORS)]
    return frame


def golden(samples, times, duration, rate, **contents):
    return {
        "times": times,
        "duration": duration,
        "frameRate": rate,
        "width": samples[0].shape[1],
        "height": samples[0].shape[0],
        **contents,
    }


def images(frames):
    return {
        "frames": [
            {
                "width": frame.shape[1],
                "height": frame.shape[0],
                "channelCount": 3,
                "samples": base64.b64encode(frame.tobytes()).decode(),
            }
            for frame in frames
        ]
    }


def encode(name, codec, pixels, rate, count, matrix, full, options=None):
    """A video of `count` frames at a steady rate."""
    frames = [quadrants(index) for index in range(count)]
    with av.open(str(VIDEOS / name), "w", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        context = stream.codec_context
        context.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        context.colorspace = matrix
        for index, samples in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(samples, format="rgb24").reformat(
                format=pixels,
                dst_colorspace=matrix,
                dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            )
            frame.pts, frame.time_base = index, 1 / Fraction(rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    times = [float(index / Fraction(rate)) for index in range(count)]
    return golden(frames, times, float(count / Fraction(rate)), float(rate), colors=[
        [samples[y, x].tolist() for y in (8, 24) for x in (12, 36)] for samples in frames
    ])


def flattened(image):
    """RGBA over black, rounded to nearest."""
    rgba = np.asarray(image.convert("RGBA")).astype(int)
    return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)


def animation(name, drawn, durations, **options):
    """A GIF or an APNG by Pillow, and what Pillow reads of it."""
    path = VIDEOS / name
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=durations, loop=0, **options)
    with Image.open(path) as file:
        frames = [flattened(frame) for frame in ImageSequence.Iterator(file)]
    assert len(frames) == len(drawn)
    times = [sum(durations[:index]) / 1000 for index in range(len(drawn))]
    rate = (len(drawn) - 1) / times[-1]
    return golden(frames, times, sum(durations) / 1000, rate, **images(frames))


def sprites(mode):
    """A square that moves over nothing, with half of it shining through where there is alpha."""
    images = []
    for index in range(4):
        frame = np.zeros((9, 13, 4), np.uint8)
        frame[2:6, 2 * index : 2 * index + 5] = (*COLORS[index], 255)
        if mode == "RGBA":
            frame[4:6, 2 * index : 2 * index + 5, 3] = 128
        images.append(Image.fromarray(frame, "RGBA"))
    return images


def main():
    VIDEOS.mkdir(exist_ok=True)
    goldens = {
        "transparent.gif": animation(
            "transparent.gif", sprites("P"), [30, 70, 200, 100], disposal=2, transparency=0
        ),
        "kept.gif": animation("kept.gif", sprites("P"), [40, 40, 130, 60], disposal=1),
        "alpha.png": animation("alpha.png", sprites("RGBA"), [50, 125, 40, 60]),
        "grey.png": animation(
            "grey.png", [image.convert("L") for image in sprites("P")], [100, 100, 300, 100]
        ),
        "palette.png": animation(
            "palette.png", [image.convert("RGB").quantize(8) for image in sprites("P")], [50, 60, 70, 80]
        ),
        "limited-601.mp4": encode(
            "limited-601.mp4", "libx264", "yuv420p", Fraction(30000, 1001), 9, Colorspace.ITU601, False,
            {"bf": "3", "crf": "4"},
        ),
        "full-709.mp4": encode(
            "full-709.mp4", "libx264", "yuv444p", Fraction(10), 6, Colorspace.ITU709, True, {"crf": "4"}
        ),
        "limited-709.webm": encode(
            "limited-709.webm", "libvpx-vp9", "yuv420p", Fraction(24), 6, Colorspace.ITU709, False,
            {"crf": "4", "b:v": "0"},
        ),
        "vp8.webm": encode(
            "vp8.webm", "libvpx", "yuv420p", Fraction(15), 6, Colorspace.ITU601, False,
            {"crf": "4", "b:v": "2M"},
        ),
        "mpeg4.avi": encode(
            "mpeg4.avi", "mpeg4", "yuv420p", Fraction(12), 6, Colorspace.ITU601, False, {"qscale": "1"}
        ),
        "lossless.mkv": encode(
            "lossless.mkv", "ffv1", "yuv444p", Fraction(25), 4, Colorspace.ITU601, False
        ),
    }
    (HERE / "videos.json").write_text(json.dumps(goldens, indent=1, sort_keys=True) + "\n")


main()
