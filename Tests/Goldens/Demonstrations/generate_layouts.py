"""Writes demonstrations as robomimic, MimicGen, Isaac Lab and early D4RL lay them out.

Usage: python generate_layouts.py

Needs numpy and h5py. Component i of step t of episode e is 100 e + 10 i + t, negative for actions.
"""

import json
import pathlib

import h5py
import numpy as np

folder = pathlib.Path(__file__).parent


def rows(episode, length, size, first=0):
    steps, components = np.meshgrid(np.arange(length), np.arange(size) + first, indexing="ij")
    return 100.0 * episode + 10 * components + steps


def names(*numbers):
    return np.array([f"demo_{number}" for number in numbers], dtype="S")


def write_masks():
    """Five episodes, of which masks choose four; actions in two forms; raw robosuite's observation."""
    with h5py.File(folder / "masks.hdf5", "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(
            {
                "env_name": "Lift",
                "type": 1,
                "env_kwargs": {
                    "robots": ["Panda"],
                    "control_freq": 20,
                    "controller_configs": {"type": "OSC_POSE", "control_delta": True},
                },
            }
        )
        for index in range(5):
            length = 2 + index
            group = data.create_group(f"demo_{index}")
            group.attrs["num_samples"] = length
            group["obs/robot0_eef_pos"] = rows(index, length, 3)
            group["obs/object"] = rows(index, length, 2, first=3)
            group["obs/object-state"] = rows(index, length, 2, first=3)
            group["next_obs/object"] = rows(index, length, 2, first=3)
            group["states"] = np.zeros((length, 4))
            group["actions"] = -rows(index, length, 2)
            group["actions_abs"] = -rows(index, length, 3, first=2)
            group["rewards"] = np.arange(length, dtype=np.float64)
            group["dones"] = (np.arange(length) == length - 1).astype(np.int64)
        file["mask/train"] = names(3, 0, 2)
        file["mask/valid"] = names(1)
        file["mask/20_percent"] = names(3)
        file["mask/valid_too"] = names(1, 3)
        file["mask/other_file"] = names(0, 17)
        file["mask/empty"] = np.array([], dtype="S6")


def write_isaac():
    """No rewards and dones, a dimension of one, episodes without steps, one marked as a failure."""
    with h5py.File(folder / "isaac.hdf5", "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Isaac-Lift-Cube-Franka-v0", "type": 2})
        for index, length in enumerate([3, None, 0, 2]):
            group = data.create_group(f"demo_{index}")
            if length is None:
                continue
            group.attrs["num_samples"] = length
            group.attrs["success"] = index != 3
            group["obs/eef_pos"] = rows(index, length, 3)[:, None, :]
            group["obs/object"] = rows(index, length, 1, first=3)[:, None, :]
            group["obs/joint_pos"] = rows(index, length, 2, first=4)
            group["actions"] = -rows(index, length, 2)[:, None, :]
            group["initial_state/articulation/robot/joint_position"] = np.zeros((1, 2))


def write_d4rl():
    """Twelve steps with a terminal at the fifth: without time-outs, and with nothing else."""
    ends = np.zeros(12, bool)
    ends[4] = True
    with h5py.File(folder / "d4rl-no-timeouts.hdf5", "w") as file:
        file["observations"] = rows(0, 12, 2)
        file["actions"] = -rows(0, 12, 1)
        file["rewards"] = np.ones(12)
        file["terminals"] = ends
        file["infos/qpos"] = np.zeros((12, 3))
    with h5py.File(folder / "d4rl-timeouts-only.hdf5", "w") as file:
        file["observations"] = rows(0, 12, 2)[:, None, :]
        file["actions"] = -rows(0, 12, 1)
        file["timeouts"] = ends


def write_npz():
    """DPPO's layout with arrays of texts and objects beside it."""
    np.savez(
        folder / "texts.npz",
        states=rows(0, 3, 2),
        actions=-rows(0, 3, 1),
        traj_lengths=np.array([2, 1]),
        tasks=np.array(["lift", "can"]),
        meta=np.array([{"robot": "Panda"}], dtype=object),
    )


write_npz()
write_masks()
write_isaac()
write_d4rl()
