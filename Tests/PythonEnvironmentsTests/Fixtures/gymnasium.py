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
    """Does what `fault` says at its third step, or only once where a file tells that it has."""

    def __init__(self, fault, once=None, render_mode=None):
        super().__init__(render_mode)
        self.fault, self.once, self.steps = fault, once, 0
        if fault == "make":
            raise ValueError("no such table")

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        self.steps += 1
        if self.steps % 3 == 0 and self.once is not None:
            if os.path.exists(self.once):
                return observation, reward, terminated, truncated, info
            open(self.once, "w").close()
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


class Together(Point):
    """Writes down when it steps, so that steps at the same time can be counted."""

    def __init__(self, log, render_mode=None):
        super().__init__(render_mode)
        self.log = log

    def step(self, action):
        start = time.monotonic()
        time.sleep(0.05)
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()} {start} {time.monotonic()}\n")
        return super().step(action)


class Meeting(Point):
    """Can be made only while another process makes one, too."""

    def __init__(self, folder, render_mode=None):
        super().__init__(render_mode)
        open(os.path.join(folder, str(os.getpid())), "w").close()
        for _ in range(3000):
            if len(os.listdir(folder)) > 1:
                return
            time.sleep(0.01)
        raise RuntimeError("nobody else came")


class Talkative(Point):
    """Its info has numbers, truth values and words."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        info.update(height=float(self.place[1]), isUp=np.bool_(self.place[1] > 0), mood="good")
        if self.place[0] > 0:
            info["right"] = np.array([self.place[0]])
        return observation, reward, terminated, truncated, info


class Hidden(Point):
    """Has a state that its actions do not decide, and can tell and take it."""

    def reset(self, seed=None, options=None):
        self.drift = float(np.random.default_rng().uniform(-0.1, 0.1))
        return super().reset(seed)

    def step(self, action):
        self.place = self.place + self.drift
        return super().step(action)

    def get_state(self):
        return np.array([*self.place, self.drift]).tobytes()

    def set_state(self, state):
        *place, self.drift = np.frombuffer(state)
        self.place = np.array(place)


class Kitchen(Point):
    """Tells its success as Franka Kitchen does."""

    goal = {"kettle": [1], "microwave": [2]}

    def reset(self, seed=None, options=None):
        self.done = []
        return super().reset(seed)

    def step(self, action):
        answer = super().step(action)[:4]
        self.done += [task for task in self.goal if task not in self.done][:1]
        return *answer, {"episode_task_completions": list(self.done), "tasks_to_complete": []}


class AutoresetMode:
    def __init__(self, value):
        self.value = value


class Walk:
    """A row of a vector environment: a number that actions move, for a number of steps."""

    def __init__(self, number, length, counts):
        self.number, self.length, self.counts, self.episode = number, length, counts, -1

    def reset(self, seed=None):
        if seed is not None:
            self.random = random.Random(seed)
        self.episode += self.counts
        self.steps, self.place = 0, self.random.uniform(-1, 1)
        return [self.place, self.episode]

    def step(self, action):
        assert self.steps < self.length, "stepped after its end"
        self.steps += 1
        self.place += float(action[0])
        return [self.place, self.episode], self.place, False, self.steps >= self.length

    def info(self):
        return {"steps": self.steps, "is_success": self.place > 0}


class VectorEnv:
    """Rows that end one after another, reset in the next step or in the same."""

    single_observation_space = Box(-1000, 1000, (2,), np.float32)
    single_action_space = Box(-0.5, 1.5, (1,), np.float32)
    observation_space = action_space = None

    def __init__(self, num_envs, mode="NextStep", length=5, dies=None, counts=True, stagger=1):
        self.rows = [Walk(number, length + stagger * number, counts) for number in range(num_envs)]
        self.metadata = {"autoreset_mode": AutoresetMode(mode), "render_fps": 5}
        self.mode, self.dies = mode, dies
        self.ended = [False] * num_envs
        self.seeded = []

    def reset(self, *, seed=None, options=None):
        assert options is None
        self.ended = [False] * len(self.rows)
        return self.batch([row.reset(seed + row.number) for row in self.rows]), {}

    def batch(self, observations):
        return np.array(observations, np.float32)

    def step(self, actions):
        assert actions.shape == (len(self.rows), 1)
        if self.dies is not None and not os.path.exists(self.dies) and self.rows[0].steps == 3:
            open(self.dies, "w").close()
            os._exit(7)
        observations, rewards, truncated = [], [], []
        infos = {"steps": np.zeros(len(self.rows)), "is_success": np.zeros(len(self.rows), bool)}
        for index, (row, action) in enumerate(zip(self.rows, actions)):
            if self.mode == "NextStep" and self.ended[index]:
                observation, reward, end = row.reset(), 0.0, False
            else:
                observation, reward, _, end = row.step(action)
            for key, value in row.info().items():
                infos[key][index] = value
            if end and self.mode == "SameStep":
                infos.setdefault("final_obs", np.full(len(self.rows), None, object))[index] = np.array(
                    observation, np.float32)
                final = infos.setdefault("final_info", {})
                for key, value in row.info().items():
                    final.setdefault(key, np.zeros(len(self.rows)))[index] = value
                    final.setdefault("_" + key, np.zeros(len(self.rows), bool))[index] = True
                observation = row.reset()
                for key, value in row.info().items():
                    infos[key][index] = value
            self.ended[index] = end
            observations.append(observation)
            rewards.append(reward)
            truncated.append(end)
        rows = len(self.rows)
        return self.batch(observations), np.array(rewards), np.zeros(rows, bool), np.array(truncated), infos

    def close(self):
        pass


class SyncVectorEnv(VectorEnv):
    """As Gymnasium's, it resets the rows of a mask by their own seeds."""

    def reset(self, *, seed=None, options=None):
        if options is None:
            return super().reset(seed=seed)
        for row in np.flatnonzero(options["reset_mask"]):
            self.last[row] = self.rows[row].reset(seed[row])
            self.ended[row] = False
        return self.batch(self.last), {}

    def batch(self, observations):
        self.last = np.array(observations, np.float32)
        return self.last.copy()

    @property
    def last(self):
        return self.__dict__.setdefault("_last", np.zeros((len(self.rows), 2), np.float32))

    @last.setter
    def last(self, value):
        self.__dict__["_last"] = value


class Pool(VectorEnv):
    """As EnvPool, it steps only the rows that are named."""

    def send(self):
        pass

    def recv(self):
        pass

    def reset(self):
        return super().reset(seed=11)

    def step(self, actions, indices):
        observations, rewards, truncated = [], [], []
        for index, action in zip(indices, actions):
            row = self.rows[index]
            if self.ended[index]:
                observation, reward, end = row.reset(), 0.0, False
            else:
                observation, reward, _, end = row.step(action)
            self.ended[index] = end
            observations.append(observation)
            rewards.append(reward)
            truncated.append(end)
        order = np.argsort(-np.asarray(indices))  # in the order in which they finish
        return (self.batch(observations)[order], np.array(rewards)[order], np.zeros(len(order), bool),
                np.array(truncated)[order], {"env_id": np.asarray(indices)[order]})


VECTORS = {"Vector-v0": VectorEnv, "Sync-v0": SyncVectorEnv, "Pool-v0": Pool}


def make_vec(name, num_envs, max_episode_steps=None, **keywords):
    if max_episode_steps is not None:
        keywords["length"] = max_episode_steps
    return VECTORS[name](num_envs, **keywords)


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
    "Together-v0": Spec(Together, 50), "Meeting-v0": Spec(Meeting, 50), "Talkative-v0": Spec(Talkative, 50), "Hidden-v0": Spec(Hidden, 50),
    "Kitchen-v0": Spec(Kitchen, 50), "Chooser-v0": Spec(Chooser, 50), "Unbounded-v0": Spec(Unbounded, 50),
}


def spec(name):
    if name not in REGISTRY:
        raise KeyError(f"no environment {name}")
    return REGISTRY[name]


def make(name, disable_env_checker=None, max_episode_steps=None, **keywords):
    assert disable_env_checker and max_episode_steps == -1
    return spec(name).make(**keywords)
