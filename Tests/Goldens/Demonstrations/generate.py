"""Writes the goldens of demonstrations: files in each layout, and chunks by the reference's dataset.

Usage: python generate.py CHECKOUT_OF_IROM_PRINCETON_DPPO

Needs numpy, torch, h5py and tqdm.
"""

import importlib.util
import pathlib
import sys

import h5py
import numpy as np
import torch

folder = pathlib.Path(__file__).parent
checkout = pathlib.Path(sys.argv[1])
specification = importlib.util.spec_from_file_location(
    "sequence", checkout / "agent" / "dataset" / "sequence.py"
)
sequence = importlib.util.module_from_spec(specification)
specification.loader.exec_module(sequence)
random = np.random.default_rng(0)


def write_dppo():
    """Episodes of which one is exactly a chunk long and one too short; float64 and images."""
    lengths = np.array([7, 3, 4, 9])
    count = lengths.sum()
    np.savez_compressed(
        folder / "dppo.npz",
        states=random.normal(size=(count, 3)) * 5,
        actions=random.uniform(-2, 3, size=(count, 2)).astype(np.float32),
        rewards=random.normal(size=count),
        terminals=random.random(count) < 0.2,
        traj_lengths=lengths,
        images=np.zeros((count, 1, 2, 2), np.uint8),
    )


def write_chunks():
    """What the reference gives for each index, for histories and horizons."""
    goldens = {}
    for history, horizon, episodes in [(1, 4, 100), (3, 4, 100), (2, 1, 100), (2, 4, 3)]:
        dataset = sequence.StitchedSequenceDataset(
            str(folder / "dppo.npz"),
            horizon_steps=horizon,
            cond_steps=history,
            max_n_episodes=episodes,
            device="cpu",
        )
        name = f"{history}-{horizon}-{episodes}"
        goldens[f"{name}-indices"] = np.array(dataset.indices, np.int64)
        items = [dataset[index] for index in range(len(dataset))]
        goldens[f"{name}-actions"] = torch.stack([item.actions for item in items]).numpy()
        goldens[f"{name}-states"] = torch.stack(
            [item.conditions["state"] for item in items]
        ).numpy()
    np.savez_compressed(folder / "chunks.npz", **goldens)


def write_robomimic():
    """Eleven episodes, so that the order of names is not that of numbers."""
    expected = {"states": [], "actions": [], "rewards": [], "terminals": [], "traj_lengths": []}
    with h5py.File(folder / "robomimic.hdf5", "w") as file:
        data = file.create_group("data")
        for index in range(11):
            length = 2 + index % 3
            group = data.create_group(f"demo_{index}")
            group.attrs["num_samples"] = length
            observations = {
                "robot0_gripper_qpos": random.normal(size=(length, 2)),
                "robot0_eef_pos": random.normal(size=(length, 3)),
                "object": random.normal(size=(length, 4)),
                "agentview_image": np.zeros((length, 2, 2, 3), np.uint8),
            }
            for key, value in observations.items():
                group.create_dataset(f"obs/{key}", data=value)
            actions = random.uniform(-1, 1, size=(length, 2))
            rewards = np.zeros(length)
            rewards[-1] = index
            dones = np.zeros(length, np.int64)
            dones[-1] = index % 2
            for key, value in [("actions", actions), ("rewards", rewards), ("dones", dones)]:
                group.create_dataset(key, data=value)
            usual = ["robot0_eef_pos", "robot0_gripper_qpos", "object"]
            expected["states"].append(np.hstack([observations[key] for key in usual]))
            expected["actions"].append(actions)
            expected["rewards"].append(rewards)
            expected["terminals"].append(dones != 0)
            expected["traj_lengths"].append([length])
        names = np.array([f"demo_{index}" for index in range(8)], dtype="S")
        file.create_dataset("mask/train", data=names)
    joined = {key: np.concatenate(value) for key, value in expected.items()}
    for key in ["states", "actions", "rewards"]:
        joined[key] = joined[key].astype(np.float32)
    np.savez_compressed(folder / "robomimic-expected.npz", **joined)


def write_d4rl():
    """Episodes of 4 (terminal), 3 (time-out) and 1 (terminal) steps, and 2 left over."""
    terminals = np.zeros(10, bool)
    terminals[[3, 7]] = True
    timeouts = np.zeros(10, bool)
    timeouts[6] = True
    with h5py.File(folder / "d4rl.hdf5", "w") as file:
        file["observations"] = random.normal(size=(10, 3)).astype(np.float32)
        file["actions"] = random.normal(size=(10, 2)).astype(np.float32)
        file["rewards"] = np.arange(10, dtype=np.float32)
        file["terminals"] = terminals
        file["timeouts"] = timeouts
        file["infos/qpos"] = np.zeros((10, 3))
        expected = {key: file[key][:8] for key in ["observations", "actions", "rewards"]}
    np.savez_compressed(folder / "d4rl-expected.npz", **expected)


def write_broken():
    """A NaN in an episode's actions; steps without an end; numbers of no known layout."""
    with h5py.File(folder / "robomimic-nan.hdf5", "w") as file:
        for index in range(2):
            group = file.create_group(f"data/demo_{index}")
            group["obs/object"] = np.ones((3, 2))
            group["actions"] = np.ones((3, 2))
            group["rewards"] = np.ones(3)
            group["dones"] = np.zeros(3, np.int64)
        file["data/demo_1/actions"][2, 1] = np.nan
    with h5py.File(folder / "d4rl-endless.hdf5", "w") as file:
        file["observations"] = np.ones((3, 2), np.float32)
        file["actions"] = np.ones((3, 1), np.float32)
        file["rewards"] = np.ones(3, np.float32)
        file["terminals"] = np.zeros(3, bool)
        file["timeouts"] = np.zeros(3, bool)
    with h5py.File(folder / "unknown.hdf5", "w") as file:
        file["temperatures"] = np.ones(3)


def write_normalization():
    """The reference's file: ranges of the DPPO golden in double precision."""
    with np.load(folder / "dppo.npz") as file:
        np.savez(
            folder / "normalization.npz",
            obs_min=file["states"].min(axis=0),
            obs_max=file["states"].max(axis=0),
            action_min=file["actions"].min(axis=0),
            action_max=file["actions"].max(axis=0),
        )


def write_normalized():
    """States and actions as the reference's scripts normalize them."""
    with np.load(folder / "dppo.npz") as file, np.load(folder / "normalization.npz") as ranges:
        pairs = {}
        for key, prefix in [("states", "obs"), ("actions", "action")]:
            low, high = ranges[f"{prefix}_min"], ranges[f"{prefix}_max"]
            pairs[key] = (2 * (file[key] - low) / (high - low + 1e-6) - 1).astype(np.float32)
        np.savez_compressed(folder / "normalized.npz", **pairs)


write_dppo()
write_chunks()
write_robomimic()
write_d4rl()
write_broken()
write_normalization()
write_normalized()
