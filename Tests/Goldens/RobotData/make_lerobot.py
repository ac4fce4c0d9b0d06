"""Writes a data set as LeRobot does, and what is in it as pyarrow and PyAV read it.

Usage: HF_HUB_OFFLINE=1 python make_lerobot.py

Run it twice: with lerobot 0.3.3, which writes v2.1, and with lerobot 0.4.3, which writes v3.0. The
installed version decides. Needs numpy < 2.4, which both versions were written for.

Of video frames every fourth pixel in every fourth row is kept.

v2.1 has H.264 videos, v3.0 AV1, which is what LeRobot has written since. Files are kept small, so
that episodes of v3.0 share some and not others.
"""

import functools
import json
import pathlib
import shutil

import av
import numpy as np
import pyarrow.parquet as pq
from lerobot.datasets import lerobot_dataset, video_utils
from lerobot.datasets.lerobot_dataset import CODEBASE_VERSION, LeRobotDataset

here = pathlib.Path(__file__).parent
name = {"v2.1": "v21", "v3.0": "v30"}[CODEBASE_VERSION]
root = here / name
LENGTHS = [5, 3, 6, 4]
VIDEO, IMAGE = "observation.images.top", "observation.images.wrist"

FEATURES = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
    "observation.environment_state": {"dtype": "float64", "shape": (2, 2), "names": None},
    "action": {"dtype": "float32", "shape": (2,), "names": {"motors": ["left", "right"]}},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
    "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    "gripper": {"dtype": "int64", "shape": (1,), "names": None},
    VIDEO: {"dtype": "video", "shape": (64, 96, 3), "names": ["height", "width", "channels"]},
    IMAGE: {"dtype": "image", "shape": (16, 24, 3), "names": ["height", "width", "channels"]},
}


def image(episode, step, height, width):
    """Smooth, so that its compression loses little, and different for each frame."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = 128 + 100 * np.sin(2 * np.pi * columns / width + step)
    green = 128 + 100 * np.cos(2 * np.pi * rows / height - step)
    blue = np.full_like(red, 30 + 50 * episode)
    return np.stack([red, green, blue], -1).astype(np.uint8)


def frame(episode, step, length):
    return {
        "observation.state": np.array([episode, step, episode / 3 + step], np.float32),
        "observation.environment_state": np.array([[step, 0.1], [episode, 1e-9 * step]]),
        "action": np.array([-step / 7, episode], np.float32),
        "next.reward": np.array([step / 10], np.float32),
        "next.done": np.array([step == length - 1]),
        "gripper": np.array([2**40 + step]),
        VIDEO: image(episode, step, 64, 96),
        IMAGE: image(episode, step, 16, 24),
    }


def write():
    shutil.rmtree(root, ignore_errors=True)
    if name == "v21":
        encode = functools.partial(video_utils.encode_video_frames, vcodec="h264", crf=18)
        lerobot_dataset.encode_video_frames = encode
    dataset = LeRobotDataset.create("attune/test", 10, FEATURES, root=root, use_videos=True)
    if name == "v30":
        dataset.meta.info["data_files_size_in_mb"] = 0.007
        dataset.meta.info["video_files_size_in_mb"] = 0.003
    for episode, length in enumerate(LENGTHS):
        for step in range(length):
            task = f"push the {'red' if episode % 2 else 'blue'} block"
            values = frame(episode, step, length)
            if name == "v21":
                dataset.add_frame(values, task=task)
            else:
                dataset.add_frame(values | {"task": task})
        dataset.save_episode()
    if name == "v30":
        dataset.finalize()
    shutil.rmtree(root / "images", ignore_errors=True)


def video_frames(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for decoded in container.decode(stream):
            yield float(decoded.pts * stream.time_base), decoded.to_ndarray(format="rgb24")


def nearest(frames, time):
    distance, index = min((abs(other - time), i) for i, (other, _) in enumerate(frames))
    assert distance <= 1e-4, (distance, time)
    return frames[index][1]


def episodes():
    """The parquet file, the video and the beginning in it, of each episode."""
    for index in range(len(LENGTHS)):
        if name == "v21":
            yield (
                root / f"data/chunk-000/episode_{index:06d}.parquet",
                root / f"videos/chunk-000/{VIDEO}/episode_{index:06d}.mp4",
                0.0,
            )
            continue
        tables = [pq.read_table(path) for path in sorted(root.glob("meta/episodes/*/*.parquet"))]
        row = [row for table in tables for row in table.to_pylist()][index]
        data, video = (
            f"chunk-{row[f'{key}/chunk_index']:03d}/file-{row[f'{key}/file_index']:03d}"
            for key in ("data", f"videos/{VIDEO}")
        )
        yield (
            root / f"data/{data}.parquet",
            root / f"videos/{VIDEO}/{video}.mp4",
            row[f"videos/{VIDEO}/from_timestamp"],
        )


def read():
    arrays = {}
    for index, (data, video, start) in enumerate(episodes()):
        rows = [row for row in pq.read_table(data).to_pylist() if row["episode_index"] == index]
        assert len(rows) == LENGTHS[index]
        for key in rows[0]:
            if key != IMAGE:
                arrays[f"{index}/{key}"] = np.array([row[key] for row in rows])
        frames = list(video_frames(video))
        arrays[f"{index}/{VIDEO}"] = np.stack(
            [nearest(frames, start + row["timestamp"])[::4, ::4] for row in rows]
        )
        arrays[f"{index}/{IMAGE}"] = np.stack(
            [image(index, step, 16, 24) for step in range(len(rows))]
        )
    np.savez_compressed(here / f"{name}.npz", **arrays)


write()
read()
files = sorted(path for path in root.rglob("*") if path.is_file())
print(json.dumps({str(path.relative_to(here)): path.stat().st_size for path in files}, indent=1))
