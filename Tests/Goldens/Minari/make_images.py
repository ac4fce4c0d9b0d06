"""Writes data sets with images by minari, and what it reads in them.

Usage: python make_images.py

Made with minari 0.5.4, gymnasium 1.4.0, h5py 3.16 and Pillow 13. An observation is a dictionary of
a state, a color image and a grey one. `jpeg` has them as minari writes them by itself, files of any
length; `raw` as bytes, written with jpeg_encoding=False; `only` has nothing but an image. In
images.npz are the images that minari reads, one after another, without the last of each episode.
"""

import os
import pathlib
import shutil
import tempfile

here = pathlib.Path(__file__).parent
root = tempfile.mkdtemp()
os.environ["MINARI_DATASETS_PATH"] = root

import minari  # noqa: E402
import numpy as np  # noqa: E402
from gymnasium import spaces  # noqa: E402
from minari.data_collector.episode_buffer import EpisodeBuffer  # noqa: E402

LENGTHS = [3, 2]
HEIGHT, WIDTH = 32, 44


def image(episode, step):
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    red = 128 + 100 * np.sin(columns / 5 + step)
    green = 128 + 100 * np.cos(rows / 4 - episode)
    blue = (7 * rows * (step + 1) + 11 * columns) % 256 / 2
    return np.stack([red, green, blue], -1).astype(np.uint8)


COLOR = spaces.Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
SPACE = spaces.Dict(
    {
        "state": spaces.Box(-np.inf, np.inf, (2,), np.float64),
        "top": COLOR,
        "grey": spaces.Box(0, 255, (HEIGHT, WIDTH), np.uint8),
    }
)


def observations(name, episode, count):
    top = np.stack([image(episode, step) for step in range(count)])
    if name == "only":
        return top
    state = np.array([[episode, step] for step in range(count)], np.float64)
    return {"state": state, "top": top, "grey": top[..., 2]}


def write(name):
    buffers = []
    for episode, length in enumerate(LENGTHS):
        last = [step == length - 1 for step in range(length)]
        buffers.append(
            EpisodeBuffer(
                id=episode, seed=episode, options=None,
                observations=observations(name, episode, length + 1),
                actions=np.array([[step / 10, -episode] for step in range(length)], np.float32),
                rewards=[float(step) for step in range(length)],
                terminations=[False] * length, truncations=last, infos={},
            )
        )  # fmt: skip
    dataset = minari.create_dataset_from_buffers(
        f"attune/{name}-v0", buffers, observation_space=COLOR if name == "only" else SPACE,
        action_space=spaces.Box(-np.inf, np.inf, (2,), np.float32), algorithm_name="counting",
        data_format="hdf5", jpeg_encoding=name != "raw", author="Attune",
        author_email="none@example.org", code_permalink="none", description="counted images",
    )  # fmt: skip
    target = here / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pathlib.Path(root) / "attune" / f"{name}-v0", target)
    if name == "only":
        return {}
    return {
        f"{name}/{key}": np.concatenate(
            [episode.observations[key][:-1] for episode in dataset.iterate_episodes()]
        )
        for key in ("top", "grey")
    }


arrays = {}
for name in ("jpeg", "raw", "only"):
    arrays |= write(name)
np.savez_compressed(here / "images.npz", **arrays)
for name in ("jpeg", "raw", "only", "images.npz"):
    for path in [here / name, *sorted((here / name).rglob("*"))]:
        if path.is_file():
            print(path.relative_to(here), path.stat().st_size)
