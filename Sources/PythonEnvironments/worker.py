"""Holds environments of Python for Attune, which starts this program and talks to it.

Requests come on one descriptor, 16 bytes each; answers go out on another: a kind, a length, and that many
bytes of JSON or of an image. Observations, actions and rewards lie in memory that both programs map. What
libraries print goes to standard error.
"""

import importlib
import importlib.util
import json
import mmap
import os
import struct
import sys
import traceback

MAKE, RESET, STEP, RENDER, CLOSE = 1, 2, 3, 4, 5
DONE, DETAILS, FAILED = 0, 1, 2
TERMINATED, TRUNCATED, SUCCESS_KNOWN, SUCCESS = 1, 2, 4, 8
SMALLEST_IMAGE = 32
SUCCESS_KEYS = ("success", "is_success", "task_success", "goal_achieved")
# Packages that register environments when they are imported, by what their names begin with.
REGISTRARS = {
    "Adroit": "gymnasium_robotics", "Fetch": "gymnasium_robotics", "FrankaKitchen": "gymnasium_robotics",
    "HandManipulate": "gymnasium_robotics", "HandReach": "gymnasium_robotics",
    "PointMaze": "gymnasium_robotics", "AntMaze": "gymnasium_robotics", "Meta-World": "metaworld",
    "gym_pusht": "gym_pusht", "Panda": "panda_gym", "gym_aloha": "gym_aloha", "MiniGrid": "minigrid",
}


class Refusal(Exception):
    """What Attune cannot do with an environment, in words for its user."""


# Where environments come from


def from_gymnasium(settings):
    """An environment of Gymnasium's registry, without its own time limit, and that limit."""
    import gymnasium

    name = settings["name"]
    for start, module in REGISTRARS.items():
        if name.startswith(start) and importlib.util.find_spec(module):
            importlib.import_module(module)
            if hasattr(gymnasium, "register_envs"):
                gymnasium.register_envs(sys.modules[module])
    keywords = dict(settings["kwargs"])
    if settings["render"]:
        keywords["render_mode"] = "rgb_array"
    limit = keywords.pop("max_episode_steps", None)
    if limit is None:
        if ":" in name:  # the part before it is a module, which Gymnasium imports
            importlib.import_module(name.split(":")[0])
        limit = gymnasium.spec(name.split(":")[-1]).max_episode_steps
    environment = gymnasium.make(name, disable_env_checker=True, max_episode_steps=-1, **keywords)
    return environment, limit


def from_function(settings):
    """What a function of the user returns: `file.py:make` or `package.module:make`."""
    place, function = settings["name"].rsplit(":", 1)
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location("attune_environment", place)
        if spec is None or not os.path.exists(place):
            raise Refusal(f"there is no file '{place}'")
        module = sys.modules.get("attune_environment")
        if module is None:
            sys.path.insert(0, os.path.dirname(os.path.abspath(place)))
            module = importlib.util.module_from_spec(spec)
            sys.modules["attune_environment"] = module
            spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    if not hasattr(module, function):
        raise Refusal(f"'{place}' has no '{function}'")
    keywords = dict(settings["kwargs"])
    if settings["render"]:
        keywords["render_mode"] = "rgb_array"
    environment = getattr(module, function)(**keywords)
    spec = getattr(environment, "spec", None)
    return environment, getattr(spec, "max_episode_steps", None)


class RobosuiteTask:
    """A task of robosuite as Gymnasium has environments. Its own wrapper calls the end of its horizon a
    termination and seeds what nobody draws from."""

    render_fps = 20

    def __init__(self, settings):
        import gymnasium
        import numpy
        import robosuite

        keywords = dict(
            robots="Panda", has_renderer=False, has_offscreen_renderer=settings["render"],
            use_camera_obs=False, use_object_obs=True, reward_shaping=False, hard_reset=False,
            ignore_done=True, control_freq=20, seed=settings["seed"] & 0x7FFFFFFF)
        keywords.update(settings["kwargs"])
        keys = keywords.pop("observation_keys", ["object-state", "robot0_eef_pos", "robot0_eef_quat",
                                                 "robot0_gripper_qpos"])
        self.env = robosuite.make(settings["name"], **keywords)
        self.numpy = numpy
        first = self.env.reset()
        spaces = gymnasium.spaces
        self.observation_space = spaces.Dict({
            key: spaces.Box(-numpy.inf, numpy.inf, numpy.shape(first[key]), numpy.float64)
            for key in keys})
        low, high = self.env.action_spec
        self.action_space = spaces.Box(low, high, dtype=numpy.float64)
        self.metadata = {"render_fps": int(keywords["control_freq"]), "render_modes": ["rgb_array"]}
        self.keys = keys

    def observed(self, observations):
        return {key: observations[key] for key in self.keys}

    def reset(self, seed=None):
        if seed is not None:  # placements and robots draw from this generator
            self.env.rng.bit_generator.state = self.numpy.random.default_rng(seed).bit_generator.state
        return self.observed(self.env.reset()), {}

    def step(self, action):
        observations, reward, _, info = self.env.step(action)
        info["success"] = bool(self.env._check_success())
        return self.observed(observations), reward, False, False, info

    def render(self):
        image = self.env.sim.render(width=256, height=256, camera_name="frontview")
        return image[::-1]  # OpenGL has the lowest row first

    def close(self):
        self.env.close()


class MetaworldTask:
    """A task of Meta-World, whose starts are drawn from the episode's seed."""

    def __init__(self, settings):
        import metaworld

        keywords = dict(settings["kwargs"])
        if settings["render"]:
            keywords["render_mode"] = "rgb_array"
            keywords.setdefault("camera_name", "corner")
        make = metaworld.env_dict.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[
            settings["name"] + "-goal-observable"]
        self.env = make(seed=settings["seed"] & 0x7FFFFFFF, **keywords)
        self.env.seeded_rand_vec = True
        self.env._freeze_rand_vec = False
        vars(self.env).pop("sawyer_observation_space", None)  # from before the goal could be seen
        self.observation_space = self.env.sawyer_observation_space
        self.action_space = self.env.action_space
        self.metadata = {"render_fps": 80, "render_modes": ["rgb_array"]}
        self.limit = int(getattr(self.env, "max_path_length", 500))
        self.env.max_path_length = 10 ** 9  # it raises past its limit, which Attune's is

    def reset(self, seed=None):
        if seed is not None:
            self.env.seed(seed)
        return self.env.reset()

    def step(self, action):
        return self.env.step(action)

    def render(self):
        return self.env.render()

    def close(self):
        self.env.close()


def from_metaworld(settings):
    task = MetaworldTask(settings)
    return task, task.limit


SOURCES = {
    "gymnasium": from_gymnasium,
    "python": from_function,
    "robosuite": lambda settings: (RobosuiteTask(settings), None),
    "metaworld": from_metaworld,
}


# Spaces


class Part:
    """A leaf of an observation space: numbers, or an image."""

    def __init__(self, path, space, numpy):
        self.path, self.space, self.numpy = path, space, numpy
        self.name = path_name(path)
        self.kind = type(space).__name__
        self.isImage = False
        self.axes = None
        low, high = None, None
        if self.kind == "Box":
            shape = space.shape
            if len(shape) == 3 and (
                space.dtype == numpy.uint8
                or (numpy.issubdtype(space.dtype, numpy.floating)
                    and (space.low == 0).all() and (space.high == 1).all())
            ):
                isTurned = shape[0] in (1, 3, 6) and shape[2] not in (1, 3, 4, 6)
                height, width, channels = shape[1:] + shape[:1] if isTurned else shape
                if min(height, width) >= SMALLEST_IMAGE:
                    self.isImage = True
                    self.axes = (1, 2, 0) if isTurned else None
                    self.imageShape = [int(height), int(width), int(channels)]
            self.size = int(numpy.prod(shape, dtype=int))
            low, high = space.low.reshape(-1), space.high.reshape(-1)
        elif self.kind == "Discrete":
            self.size = int(space.n)
        elif self.kind == "MultiBinary":
            self.size = int(numpy.prod(space.shape, dtype=int))
        elif self.kind == "MultiDiscrete":
            self.size = int(space.nvec.sum())
        else:
            raise Refusal(
                f"the observation '{self.name}' is of the space {self.kind}, which has no fixed number of "
                "numbers: choose other keys with the parameter 'observations', or wrap the environment")
        self.low = [0.0] * self.size if low is None else [bound(value) for value in low]
        self.high = [1.0] * self.size if high is None else [bound(value) for value in high]

    def names(self):
        return [self.name] if self.size == 1 else [f"{self.name}[{index}]" for index in range(self.size)]

    def value(self, observation):
        for key in self.path:
            observation = observation[key]
        return observation

    def write(self, observation, out):
        """Puts the leaf's numbers, or its bytes, in their place."""
        numpy = self.numpy
        value = self.value(observation)
        if self.kind == "Discrete":
            out[:] = 0
            out[int(value) - int(getattr(self.space, "start", 0))] = 1
            return
        if self.kind == "MultiDiscrete":
            out[:] = 0
            place = 0
            for choice, count in zip(numpy.reshape(value, -1), self.space.nvec.reshape(-1)):
                out[place + int(choice)] = 1
                place += int(count)
            return
        array = numpy.asarray(value)
        if array.shape != self.space.shape:
            raise Refusal(
                f"the observation '{self.name}' has the shape {list(array.shape)}, but its space says "
                f"{list(self.space.shape)}")
        if self.isImage:
            if self.axes:
                array = array.transpose(self.axes)
            if array.dtype != numpy.uint8:
                array = numpy.clip(numpy.rint(array * 255.0), 0, 255)
        out[:] = array.reshape(-1)


def bound(value):
    """A bound for JSON, which has no infinity."""
    value = float(value)
    return value if abs(value) < 1e30 else None


def path_name(path):
    return ".".join(str(key) for key in path) or "observation"


def leaves(space, path=()):
    """Paths and spaces, in the order of the space: values may have another."""
    kind = type(space).__name__
    if kind == "Dict":
        return [leaf for key, inner in space.spaces.items() for leaf in leaves(inner, (*path, key))]
    if kind == "Tuple":
        return [leaf for index, inner in enumerate(space.spaces) for leaf in leaves(inner, (*path, index))]
    return [(path, space)]


def chosen(all, keys):
    """Those of some keys, in the keys' order; all where there are none."""
    if not keys:
        return all
    found = []
    for key in keys:
        those = [leaf for leaf in all if path_name(leaf[0]) == key or path_name(leaf[0]).startswith(key + ".")]
        if not those:
            raise Refusal(f"there is no observation '{key}'; it has {', '.join(path_name(l[0]) for l in all)}")
        found += those
    return found


# One environment


class Environment:
    def __init__(self, index, settings, memory, numpy):
        self.settings, self.numpy = settings, numpy
        self.env, limit = SOURCES[settings["source"]](settings)
        parts = [
            Part(path, space, numpy)
            for path, space in chosen(leaves(self.env.observation_space), settings["observations"])]
        self.numbers = [part for part in parts if not part.isImage]
        self.images = [part for part in parts if part.isImage]
        space = self.env.action_space
        if type(space).__name__ != "Box" or not numpy.issubdtype(space.dtype, numpy.floating):
            raise Refusal(
                f"its actions are of the space {space}, and diffusion policies act with real numbers: "
                "wrap it in an environment whose actions are a Box of floats")
        self.low, self.high = space.low.reshape(-1).astype(float), space.high.reshape(-1).astype(float)
        limitless = settings["actionBound"]
        if not (numpy.isfinite(self.low).all() and numpy.isfinite(self.high).all()):
            if limitless <= 0:
                raise Refusal("its actions have no bounds: give the parameter 'actionBound', such as 1")
            self.low = numpy.maximum(self.low, -limitless)
            self.high = numpy.minimum(self.high, limitless)
        self.actionSpace = space
        self.lay_out(index, memory)
        self.successKey = settings["successKey"] or None
        metadata = getattr(self.env, "metadata", None) or {}
        inner = getattr(self.env, "unwrapped", self.env)
        fps = metadata.get("render_fps") or (1 / inner.dt if getattr(inner, "dt", 0) else 30)
        self.hasSucceeded = False
        self.description = {
            "names": [name for part in self.numbers for name in part.names()],
            "low": [value for part in self.numbers for value in part.low],
            "high": [value for part in self.numbers for value in part.high],
            "cameras": [{"name": part.name, "shape": part.imageShape} for part in self.images],
            "actionLow": [float(value) for value in self.low],
            "actionHigh": [float(value) for value in self.high],
            "stepsPerSecond": float(fps), "timeLimit": limit,
            "renderModes": list(metadata.get("render_modes") or []),
            "offset": self.offset, "imageOffsets": self.imageOffsets, "end": self.end,
            "versions": versions(),
        }

    def lay_out(self, index, memory):
        """float32 actions, float32 observations, float64 reward, flags, images: all at multiples of 64."""
        numpy = self.numpy
        actions, numbers = self.low.size, sum(part.size for part in self.numbers)
        place = 0

        def take(bytes):
            nonlocal place
            start = place
            place += (bytes + 63) // 64 * 64
            return start

        action, observation, reward, flags = take(4 * actions), take(4 * numbers), take(8), take(1)
        images = [take(part.size) for part in self.images]
        self.offset = index * place
        self.end = self.offset + place
        if self.end > len(memory):
            raise Refusal(f"{index + 1} environments of {place} bytes do not fit into one worker: take more")
        at = lambda kind, count, offset: numpy.frombuffer(memory, kind, count, self.offset + offset)
        self.action = at(numpy.float32, actions, action)
        self.observation = at(numpy.float32, numbers, observation)
        self.reward = at(numpy.float64, 1, reward)
        self.flags = at(numpy.uint8, 1, flags)
        self.frames = [at(numpy.uint8, part.size, start) for part, start in zip(self.images, images)]
        self.imageOffsets = [self.offset + start for start in images]

    def observe(self, observation):
        place = 0
        for part in self.numbers:
            part.write(observation, self.observation[place:place + part.size])
            place += part.size
        for part, frame in zip(self.images, self.frames):
            part.write(observation, frame)

    def reset(self, seed):
        self.hasSucceeded = False
        self.flags[0] = 0
        try:
            answer = self.env.reset(seed=seed & 0x7FFFFFFF)
        except TypeError as error:
            if "seed" not in str(error):
                raise
            self.env.seed(seed & 0x7FFFFFFF)  # before Gym 0.26
            answer = self.env.reset()
        isPair = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)
        self.observe(answer[0] if isPair else answer)

    def step(self):
        numpy, settings = self.numpy, self.settings
        action = self.action.astype(numpy.float64)
        if settings["clipsActions"]:
            action = numpy.clip(action, self.low, self.high)
        answer = self.env.step(action.astype(self.actionSpace.dtype).reshape(self.actionSpace.shape))
        if len(answer) == 4:  # before Gym 0.26
            observation, reward, isDone, info = answer
            isTruncated = bool(info.get("TimeLimit.truncated", False))
            isTerminated = bool(isDone) and not isTruncated
        else:
            observation, reward, isTerminated, isTruncated, info = answer
        self.observe(observation)
        if not settings["terminates"]:
            isTerminated = False
        success = self.success(info)
        first = False
        if success is not None:
            first = success and not self.hasSucceeded
            self.hasSucceeded = success or (self.hasSucceeded and settings["successRule"] == "any")
        if settings["reward"] == "success":
            reward = float(bool(success))
        elif settings["reward"] == "successOnce":
            reward = float(first)
        self.reward[0] = float(reward)
        flags = TERMINATED * bool(isTerminated) | TRUNCATED * bool(isTruncated)
        if success is not None:
            flags |= SUCCESS_KNOWN | SUCCESS * self.hasSucceeded
            if success and settings["endsAtSuccess"]:
                flags |= TERMINATED
        elif settings["reward"] != "environment" or settings["endsAtSuccess"]:
            raise Refusal(
                "it does not say whether it succeeded: its info has "
                f"{', '.join(sorted(map(str, info))) or 'nothing'}; name one with the parameter 'successKey'")
        self.flags[0] = flags

    def success(self, info):
        if self.successKey is None:
            self.successKey = next((key for key in SUCCESS_KEYS if key in info), None)
        if self.successKey is None or self.successKey not in info:
            return None
        return bool(self.numpy.all(self.numpy.asarray(info[self.successKey]) > 0))

    def render(self):
        frame = self.env.render()
        if isinstance(frame, list):
            frame = frame[-1] if frame else None
        if frame is None:
            raise Refusal("it gives no image: its render modes are "
                          + (", ".join(map(str, self.description["renderModes"])) or "none"))
        frame = self.numpy.ascontiguousarray(frame, dtype=self.numpy.uint8)
        if frame.ndim != 3 or frame.shape[2] not in (3, 4):
            raise Refusal(f"its image has the shape {list(frame.shape)}, not [H, W, 3]")
        return self.numpy.ascontiguousarray(frame[:, :, :3])


def versions():
    names = ("numpy", "gymnasium", "mujoco", "robosuite", "metaworld", "gymnasium_robotics")
    found = {name: str(getattr(sys.modules[name], "__version__", "?")) for name in names if name in sys.modules}
    return {"python": sys.version.split()[0], **found}


# The conversation


def blame(error):
    """The last frame that is not this program's, and what happened, in a line each."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if frame.filename != "attune-worker" and "importlib" not in frame.filename]
    place = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    module = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    words = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
    return {"words": words[:1000], "place": place, "module": module,
            "isRefusal": isinstance(error, Refusal)}


def main(requests, answers, descriptor):
    def read(count):
        parts = b""
        while len(parts) < count:
            part = os.read(requests, count - len(parts))
            if not part:
                os._exit(0)  # Attune has ended, or wants no more
            parts += part
        return parts

    def answer(kind, details=b""):
        data = struct.pack("<II", kind, len(details)) + details
        while data:
            data = data[os.write(answers, data):]

    settings = json.loads(read(struct.unpack("<I", read(4))[0]))
    sys.path.insert(0, os.getcwd())
    memory, numpy, environments = None, None, {}
    while True:
        operation, index, seed = struct.unpack("<IIQ", read(16))
        try:
            if operation == STEP:
                environments[index].step()
                answer(DONE)
            elif operation == RESET:
                environments[index].reset(seed)
                answer(DONE)
            elif operation == MAKE:
                if numpy is None:
                    numpy = importlib.import_module("numpy")
                    memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
                environments[index] = Environment(index, dict(settings, seed=seed), memory, numpy)
                answer(DETAILS, json.dumps(environments[index].description, allow_nan=False).encode())
            elif operation == RENDER:
                frame = environments[index].render()
                answer(DETAILS, struct.pack("<II", *frame.shape[:2]) + frame.tobytes())
            else:
                close = getattr(environments.pop(index).env, "close", None)
                if close:
                    close()
                answer(DONE)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            answer(FAILED, json.dumps(blame(error)).encode())


if "ATTUNE_WORKER_MEMORY" in globals():
    main(ATTUNE_WORKER_REQUESTS, ATTUNE_WORKER_ANSWERS, ATTUNE_WORKER_MEMORY)
