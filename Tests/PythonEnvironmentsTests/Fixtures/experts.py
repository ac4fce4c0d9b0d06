"""Experts for the environments of the stand-in for Gymnasium, and for Attune's own: some behave."""

import os
import sys
import time

import numpy as np


class Homing:
    """Goes to the origin, as fast as it is told."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def act(self, observation):
        return -self.gain * np.asarray(observation)


class Keyed:
    """Reads what the environment gives, a Dict."""

    def act(self, observation):
        assert observation["eye"].shape == (3, 32, 48) and observation["mode"] in (0, 1, 2)
        return -observation["place"]


class Seeing:
    """Looks at the environment rather than at its observation, when it is made, at resets and at steps."""

    def __init__(self, env):
        self.env = env

    def reset(self, seed, env):
        assert env is self.env
        self.start = env.place.copy()

    def act(self, observation, env):
        assert env is self.env
        return np.clip(-self.start, -1, 1)


class Drawing:
    """Draws its actions, by the seed of the episode."""

    def __init__(self, size=2):
        self.size = size

    def reset(self, seed):
        self.random = np.random.default_rng(seed)

    def act(self, observation):
        return self.random.uniform(-1, 1, self.size)


class Beside:
    """Of an environment that is not one of Python."""

    def __init__(self, size):
        self.size = size

    def act(self, observation, env=None):
        assert env is None and observation.dtype == np.float32 and observation.ndim == 1
        return observation[:self.size] / 4


class Typed:
    """Takes arguments of several types."""

    def __init__(self, gain, name, isFast, sizes):
        assert (gain, name, isFast, sizes) == (0.5, "peg-v3", True, [1, 2]), (gain, name, isFast, sizes)

    def act(self, observation):
        return np.zeros(2)


class Idle:
    pass


class Faulty:
    """Does what `fault` says at the third action of an episode, or only once where a file tells that it has."""

    def __init__(self, fault, once=None, size=2):
        self.fault, self.once, self.size = fault, once, size
        if fault == "make":
            raise ValueError("no plan")

    def reset(self):
        self.count = 0
        if self.fault == "reset":
            raise ValueError("no way")

    def act(self, observation):
        self.count += 1
        action = np.asarray(observation)[:self.size] * 0.1
        if self.count != 3:
            return action
        if self.once is not None:
            if os.path.exists(self.once):
                return action
            open(self.once, "w").close()
        if self.fault == "raise":
            raise RuntimeError("the arm is asleep")
        if self.fault == "leave":
            sys.exit(4)
        if self.fault == "die":
            os._exit(5)
        if self.fault == "hang":
            time.sleep(1000)
        return {"shape": action[:1], "nan": action * np.nan, "nothing": None, "text": "left"}.get(
            self.fault, action)


class Mortal(Faulty):
    """In a process of its own, beside an environment of Attune."""
