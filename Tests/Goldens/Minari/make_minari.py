"""Writes data sets by minari, as its users have them, and what it reads in them.

Usage: python make_minari.py

Made with minari 0.5.4, gymnasium 1.4.0 and h5py 3.16. Data sets: `box`, whose observations are one
array; `goal`, with a dictionary, in which one part is images and one a dictionary; `arrow` and
`discrete`, which are refused, and `broken`.

Component i of step t of episode e is 100 e + 10 i + t, negative for actions.
"""

import os
import pathlib
import shutil
import tempfile

here = pathlib.Path(__file__).parent
root = tempfile.mkdtemp()
os.environ["MINARI_DATASETS_PATH"] = root

import h5py  # noqa: E402
import minari  # noqa: E402
import numpy as np  # noqa: E402
from gymnasium import spaces  # noqa: E402
from minari.data_collector.episode_buffer import EpisodeBuffer  # noqa: E402

LENGTHS = [4, 2, 5]


def rows(episode, count, size, sign=1, first=0):
    return sign * np.array(
        [[100 * episode + 10 * i + t for i in range(first, first + size)] for t in range(count)],
        np.float64,
    )


def box(low, high, shape, dtype=np.float64):
    return spaces.Box(low, high, shape, dtype)


SPACES = {
    "box": (box(-np.inf, np.inf, (3,)), box(-np.inf, np.inf, (2,), np.float32)),
    "goal": (
        spaces.Dict(
            {
                "observation": box(-np.inf, np.inf, (2, 2)),
                "desired_goal": box(-np.inf, np.inf, (2,)),
                "pixels": box(0, 255, (32, 40, 3), np.uint8),
                "inner": spaces.Dict({"b": box(-np.inf, np.inf, (1,)), "a": spaces.Discrete(9)}),
            }
        ),
        box(-np.inf, np.inf, (2,), np.float32),
    ),
}
SPACES["arrow"] = SPACES["box"]
SPACES["discrete"] = (SPACES["box"][0], spaces.Discrete(3))


def observations(name, episode, count):
    if name != "goal":
        return rows(episode, count, 3)
    return {
        "observation": rows(episode, count, 4).reshape(count, 2, 2),
        "desired_goal": rows(episode, count, 2, first=4),
        "pixels": np.full((count, 32, 40, 3), 50 * episode, np.uint8),
        "inner": {"b": rows(episode, count, 1, first=6), "a": np.arange(count)},
    }


def write(name):
    buffers = []
    for episode, length in enumerate(LENGTHS):
        actions = rows(episode, length, 2, -1).astype(np.float32)
        if name == "discrete":
            actions = np.arange(length) % 3
        buffers.append(
            EpisodeBuffer(
                id=episode, seed=episode, options=None,
                observations=observations(name, episode, length + 1), actions=actions,
                rewards=[float(t) for t in range(length)],
                terminations=[t == length - 1 and episode == 1 for t in range(length)],
                truncations=[t == length - 1 and episode != 1 for t in range(length)],
                infos={"success": np.arange(length + 1) > 2},
            )
        )  # fmt: skip
    minari.create_dataset_from_buffers(
        f"attune/{name}-v0", buffers, observation_space=SPACES[name][0],
        action_space=SPACES[name][1], algorithm_name="counting",
        data_format="arrow" if name == "arrow" else "hdf5",
        author="Attune", author_email="none@example.org", code_permalink="none",
        description="counted numbers",
    )  # fmt: skip
    target = here / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pathlib.Path(root) / "attune" / f"{name}-v0", target)
    if name == "arrow":
        for path in target.rglob("*"):
            if path.is_file() and path.name != "metadata.json":
                path.unlink()
        return
    # What minari reads.
    dataset = minari.load_dataset(f"attune/{name}-v0")
    arrays = {}
    for episode in dataset.iterate_episodes():
        flat = np.stack(
            [
                np.concatenate([np.ravel(part) for part in leaves(step(episode.observations, t))])
                for t in range(len(episode.actions))
            ]
        )
        arrays[f"{episode.id}/observations"] = flat
        arrays[f"{episode.id}/actions"] = episode.actions
        arrays[f"{episode.id}/rewards"] = episode.rewards
        arrays[f"{episode.id}/terminations"] = episode.terminations
    if name != "discrete":
        np.savez_compressed(here / f"{name}.npz", **arrays)


def step(observations, t):
    if isinstance(observations, dict):
        return {key: step(value, t) for key, value in observations.items() if key != "pixels"}
    return observations[t]


def leaves(value):
    if isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key])
    else:
        yield value


def break_one():
    """An episode whose observations are as many as its actions, without metadata beside it."""
    path = here / "broken" / "main_data.hdf5"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(here / "box" / "data" / "main_data.hdf5", path)
    with h5py.File(path, "a") as file:
        group = file["episode_1"]
        values = group["observations"][:-1]
        del group["observations"]
        group["observations"] = values


for name in SPACES:
    write(name)
break_one()
for path in sorted(here.rglob("*")):
    if path.is_file():
        print(path.relative_to(here), path.stat().st_size)
