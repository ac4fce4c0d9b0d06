"""Demonstrations with images, as robomimic's and DPPO's scripts write them.

Usage: python generate_images.py   (needs numpy and h5py; writes beside itself)

The sample in row y, column x, channel c of the image of camera k at step t of all steps is
(16 t + 7 y + 3 x + 40 c + 100 k) mod 256. Images have 3 rows and 4 columns; episodes have 3 and 2 steps.
"""

import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
LENGTHS = [3, 2]
N = sum(LENGTHS)


def images(camera):
    """uint8 [N, H, W, C]"""
    t, y, x, c = np.ogrid[:N, :3, :4, :3]
    return ((16 * t + 7 * y + 3 * x + 40 * c + 100 * camera) % 256).astype(np.uint8)


states = np.arange(N * 2, dtype=np.float64).reshape(N, 2)
actions = -np.arange(N, dtype=np.float64)[:, None]

with h5py.File(HERE / "images.hdf5", "w") as file:
    start = 0
    for index, length in enumerate(LENGTHS):
        rows = slice(start, start + length)
        group = file.create_group(f"data/demo_{index}")
        group.attrs["num_samples"] = length
        group["obs/robot0_eef_pos"] = states[rows]
        group["obs/object"] = states[rows]
        for camera, name in enumerate(["robot0_eye_in_hand_image", "agentview_image"]):
            group.create_dataset(f"obs/{name}", data=images(camera)[rows], chunks=(1, 3, 4, 3), compression="gzip")
        group["actions"] = actions[rows]
        start += length

np.savez(
    HERE / "images.npz", states=states.astype(np.float32), actions=actions.astype(np.float32),
    traj_lengths=np.array(LENGTHS),
    images=np.concatenate([images(0), images(1)], -1).transpose(0, 3, 1, 2))
for name in ["images.hdf5", "images.npz"]:
    (HERE / name).chmod(0o644)
