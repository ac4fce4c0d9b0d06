"""A stand-in for Gymnasium, as far as Attune's worker uses it, with environments that behave and some that
do not."""

import os
import random
import sys
import time

import numpy as np

__version__ = "0.fake"


class Box:
    def __init__(self, low, high, shape=None, dtype=np.float32):
        self.shape = tuple(np.shape(low) if shape is None else shape)
        self.dtype = np.dtype(dtype)
        self.low = np.broadcast_to(np.asarray(low, self.dtype), self.shape).copy()
        self.high = np.broadcast_to(np.asarray(high, self.dtype), self.shape).copy()


class Discrete:
    def __init__(self, n):
        self.n, self.start = n, 0


class Dict:
    def __init__(self, spaces):
        self.spaces = spaces


class Text:
    pass


class Spec:
    def __init__(self, make, max_episode_steps):
        self.make, self.max_episode_steps = make, max_episode_steps


class Point:
    """A point on a plane that is to be brought to the origin."""

    metadata = {"render_fps": 20, "render_modes": ["rgb_array"]}
    observation_space = Box(-10, 10, (2,), np.float64)
    action_space = Box(-1, 1, (2,), np.float32)

    def __init__(self, render_mode=None, size=5.0, ignores_seed=False):
        self.render_mode, self.size, self.ignores_seed = render_mode, size, ignores_seed

    def reset(self, seed=None, options=None):
        self.random = random.Random(None if self.ignores_seed else seed)
        self.place = np.array([self.random.uniform(-self.size, self.size) for _ in range(2)])
        return self.place.copy(), {}

    def step(self, action):
        assert action.dtype == np.float32 and action.shape == (2,)
        assert (np.abs(action) <= 1).all(), action
        self.place = self.place + action
        distance = float(np.abs(self.place).sum())
        return self.place.copy(), -distance, distance > 12, False, {"is_success": distance < 1}

    def render(self):
        if self.render_mode is None:
            return None
        frame = np.zeros((40, 60, 3), np.uint8)
        frame[..., 0] = int(np.clip(self.place[0] * 10 + 128, 0, 255))
        frame[30:, 40:, 1] = 200
        return frame

    def close(self):
        pass


class Camera(Point):
    """A Dict of an image with channels first, a number of choices and the place."""

    observation_space = Dict({
        "eye": Box(0, 255, (3, 32, 48), np.uint8), "mode": Discrete(3), "place": Box(-10, 10, (2,))})

    def observed(self):
        image = np.zeros((3, 32, 48), np.uint8)
        image[0, 1, 2], image[2] = 7, 9
        return {"place": self.place.astype(np.float32), "mode": int(abs(self.place[0])) % 3, "eye": image}

    def reset(self, seed=None, options=None):
        super().reset(seed)
        return self.observed(), {}

    def step(self, action):
        _, *rest = super().step(action)
        return (self.observed(), *rest)


class Faulty(Point):
    """Does what `fault` says at its third step."""

    def __init__(self, fault, render_mode=None):
        super().__init__(render_mode)
        self.fault, self.steps = fault, 0
        if fault == "make":
            raise ValueError("no such table")

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        self.steps += 1
        if self.steps % 3 == 0:
            if self.fault == "raise":
                raise RuntimeError("the gripper is stuck")
            if self.fault == "leave":
                sys.exit(4)
            if self.fault == "die":
                os._exit(5)
            if self.fault == "hang":
                time.sleep(1000)
            if self.fault == "print":
                print("a library says something" * 100)
            if self.fault == "nan":
                observation[1] = float("nan")
            if self.fault == "shape":
                observation = observation[:1]
        return observation, reward, terminated, truncated, info


class OldGym(Point):
    """Before Gym 0.26: a bare observation, four values, `seed`."""

    def seed(self, seed):
        self.seeded = seed

    def reset(self):
        return super().reset(self.seeded)[0]

    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, info


class Slow(Point):
    def step(self, action):
        time.sleep(0.02)
        return super().step(action)


class Wordy(Camera):
    """What it is to do is a text, which no network here reads."""

    observation_space = Dict({"place": Box(-10, 10, (2,)), "task": Text()})

    def observed(self):
        return {"task": "go", "place": self.place.astype(np.float32)}


class Chooser(Point):
    action_space = Discrete(4)


class Unbounded(Point):
    action_space = Box(-np.inf, np.inf, (2,))


REGISTRY = {
    "Point-v0": Spec(Point, 50), "Camera-v0": Spec(Camera, 50), "Faulty-v0": Spec(Faulty, 50),
    "OldGym-v0": Spec(OldGym, 50), "Slow-v0": Spec(Slow, None), "Wordy-v0": Spec(Wordy, 50),
    "Chooser-v0": Spec(Chooser, 50), "Unbounded-v0": Spec(Unbounded, 50),
}


def spec(name):
    if name not in REGISTRY:
        raise KeyError(f"no environment {name}")
    return REGISTRY[name]


def make(name, disable_env_checker=None, max_episode_steps=None, **keywords):
    assert disable_env_checker and max_episode_steps == -1
    return spec(name).make(**keywords)
