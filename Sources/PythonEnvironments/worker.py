"""Holds environments of Python for Attune, which starts this program and talks to it.

Requests come on one descriptor, 16 bytes each; answers go out on another: a kind, a length, and that many
bytes of JSON or of an image. Observations, actions and rewards lie in memory that both programs map. What
libraries print goes to standard error.
"""

import importlib
import importlib.util
import inspect
import json
import mmap
import os
import struct
import sys
import traceback

PROTOCOL = 1  # of what is said below; PythonSettings.currentProtocolVersion is the same
MAKE, RESET, STEP, RENDER, CLOSE, SAVE, RESTORE, FACTS, EXPERT, ACT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
DONE, DETAILS, FAILED = 0, 1, 2
TERMINATED, TRUNCATED, SUCCESS_KNOWN, SUCCESS = 1, 2, 4, 8
STARTED, STALE = 16, 32  # of a batch's rows: the step was a reset; the reset is to come
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


def import_registrar(name):
    """Imports what registers an environment: the module before a colon, or the package known for it."""
    import gymnasium

    for start, module in REGISTRARS.items():
        if name.startswith(start) and importlib.util.find_spec(module):
            importlib.import_module(module)
            if hasattr(gymnasium, "register_envs"):
                gymnasium.register_envs(sys.modules[module])
    if ":" in name:
        importlib.import_module(name.split(":")[0])


def from_gymnasium(settings):
    """An environment of Gymnasium's registry, without its own time limit, and that limit."""
    import gymnasium

    name = settings["name"]
    import_registrar(name)
    keywords = dict(settings["kwargs"])
    if settings["render"]:
        keywords["render_mode"] = "rgb_array"
    limit = keywords.pop("max_episode_steps", None)
    if limit is None:
        limit = gymnasium.spec(name.split(":")[-1]).max_episode_steps
    environment = gymnasium.make(name, disable_env_checker=True, max_episode_steps=-1, **keywords)
    return environment, limit


FILES = {}  # modules of the user's files, by path


def of_user(name, module_name):
    """A function or class of the user's: `file.py:make` or `package.module:make`."""
    place, function = name.rsplit(":", 1)
    if place.endswith(".py"):
        path = os.path.abspath(place)
        if path not in FILES:
            if not os.path.exists(place):
                raise Refusal(f"there is no file '{place}'")
            spec = importlib.util.spec_from_file_location(module_name, place)
            module = importlib.util.module_from_spec(spec)
            if os.path.dirname(path) not in sys.path:
                sys.path.insert(0, os.path.dirname(path))
            sys.modules[module_name] = module
            spec.loader.exec_module(module)
            FILES[path] = module  # not before it has run to its end
        module = FILES[path]
    else:
        module = importlib.import_module(place)
    if not hasattr(module, function):
        raise Refusal(f"'{place}' has no '{function}'")
    return getattr(module, function)


def from_function(settings):
    """What a function of the user returns: `file.py:make` or `package.module:make`."""
    function = of_user(settings["name"], "attune_environment")
    keywords = dict(settings["kwargs"])
    if settings["render"]:
        keywords["render_mode"] = "rgb_array"
    environment = function(**keywords)
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

        hasCameras = bool(settings["kwargs"].get("use_camera_obs"))
        keywords = dict(
            robots="Panda", has_renderer=False, has_offscreen_renderer=settings["render"] or hasCameras,
            use_camera_obs=False, use_object_obs=True, reward_shaping=False, hard_reset=False,
            ignore_done=True, control_freq=20, seed=settings["seed"] & 0x7FFFFFFF)
        keywords.update(settings["kwargs"])
        keys = keywords.pop("observation_keys", None)
        self.env = robosuite.make(settings["name"], **keywords)
        self.numpy = numpy
        self.isUpsideDown = robosuite.macros.IMAGE_CONVENTION == "opengl"
        first = self.everything = self.env.reset()
        if keys is None:
            keys = ["object-state", "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"]
            keys += [key for key in first if self.is_image(first[key])]
        spaces = gymnasium.spaces
        self.observation_space = spaces.Dict({
            key: spaces.Box(0, 255, first[key].shape, numpy.uint8) if self.is_image(first[key])
            else spaces.Box(-numpy.inf, numpy.inf, numpy.shape(first[key]), numpy.float64)
            for key in keys})
        low, high = self.env.action_spec
        self.action_space = spaces.Box(low, high, dtype=numpy.float64)
        self.metadata = {"render_fps": int(keywords["control_freq"]), "render_modes": ["rgb_array"]}
        self.keys = keys

    def is_image(self, value):
        return getattr(value, "ndim", 0) == 3 and value.dtype == self.numpy.uint8

    def observed(self, observations):
        self.everything = observations
        return {key: observations[key][::-1] if self.isUpsideDown and self.is_image(observations[key])
                else observations[key] for key in self.keys}

    def for_expert(self, observation):
        """All that robosuite tells, and its own environment."""
        return self.everything, self.env

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

    def for_expert(self, observation):
        """What its scripted policies read, and its own environment."""
        return observation, self.env

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


class Box:
    """A space of numbers, where there need be no Gymnasium."""

    def __init__(self, numpy, low, high):
        self.dtype = numpy.dtype(numpy.float32)
        self.low, self.high = numpy.array(low, self.dtype), numpy.array(high, self.dtype)
        self.shape = self.low.shape


class Beside:
    """In the place of an environment that is not one of Python: only an expert is here. Attune writes what it
    observes."""

    metadata = None

    def __init__(self, settings):
        import numpy

        spaces = settings["spaces"]
        limit = float(numpy.finfo(numpy.float32).max)
        low = [-limit if value is None else value for value in spaces["low"]]
        high = [limit if value is None else value for value in spaces["high"]]
        self.zeros = numpy.zeros(spaces["observations"], numpy.float32)
        self.observation_space = Box(numpy, self.zeros - limit, self.zeros + limit)
        self.action_space = Box(numpy, low, high)

    def reset(self, seed=None):
        return self.zeros, {}

    def close(self):
        pass


SOURCES = {
    "gymnasium": from_gymnasium,
    "python": from_function,
    "robosuite": lambda settings: (RobosuiteTask(settings), None),
    "metaworld": from_metaworld,
    "beside": lambda settings: (Beside(settings), None),
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


SLOTS, PLACE_SIZE = 64, 8 << 20  # steps for one request; bytes of an environment, if they are enough


class Row:
    """An environment of its own, or one of a batch: its memory, and what Attune makes of its steps."""

    def __init__(self, index, settings, memory, numpy, env, limit):
        self.settings, self.numpy, self.env = settings, numpy, env
        parts = [
            Part(path, space, numpy)
            for path, space in chosen(leaves(env.observation_space), settings["observations"])]
        self.numbers = [part for part in parts if not part.isImage]
        self.images = [part for part in parts if part.isImage]
        space = env.action_space
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
        self.infoKeys = []
        metadata = getattr(env, "metadata", None) or {}
        inner = getattr(env, "unwrapped", env)
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
            "layout": self.layout, "hasState": state_hooks(env) is not None, "versions": versions(),
            "protocolVersion": PROTOCOL,
        }

    def lay_out(self, index, memory):
        """Actions, observations (float32), rewards, info (float64), flags and images of some steps one after
        another, and a few numbers of the request: all at multiples of 64."""
        numpy = self.numpy
        actions, numbers = self.low.size, sum(part.size for part in self.numbers)
        info, images = len(self.settings["info"]), [part.size for part in self.images]
        slots = max(2, min(SLOTS, PLACE_SIZE // (4 * (actions + numbers) + 8 * info + 9 + sum(images))))
        place = 0

        def take(bytes):
            nonlocal place
            start = place
            place += (bytes + 63) // 64 * 64
            return start

        starts = {
            "action": take(4 * actions * slots), "observation": take(4 * numbers * slots),
            "reward": take(8 * slots), "info": take(8 * info * slots), "flags": take(slots),
            "control": take(64)}
        imageStarts = [take(size * slots) for size in images]
        offset = index * place
        if offset + place > len(memory):
            raise Refusal(f"{index + 1} environments of {place} bytes do not fit into one worker: take more")

        def at(kind, start, *shape):
            count = int(numpy.prod(shape))
            return numpy.frombuffer(memory, kind, count, offset + start).reshape(shape)

        self.slots = slots
        self.action = at(numpy.float32, starts["action"], slots, actions)
        self.observation = at(numpy.float32, starts["observation"], slots, numbers)
        self.reward = at(numpy.float64, starts["reward"], slots)
        self.info = at(numpy.float64, starts["info"], slots, info)
        self.flags = at(numpy.uint8, starts["flags"], slots)
        self.executed = at(numpy.int32, starts["control"], 1)
        self.takesPart = at(numpy.uint8, starts["control"] + 8, 1)
        self.seed = at(numpy.uint64, starts["control"] + 16, 1)
        self.frames = [at(numpy.uint8, start, slots, size) for start, size in zip(imageStarts, images)]
        self.layout = {
            **{name: offset + start for name, start in starts.items()}, "slots": slots, "stride": place,
            "end": offset + place, "images": [offset + start for start in imageStarts]}

    def taken(self, slot):
        """The action of a step, as the environment takes it."""
        action = self.action[slot].astype(self.numpy.float64)
        if self.settings["clipsActions"]:
            action = self.numpy.clip(action, self.low, self.high)
        return action.astype(self.actionSpace.dtype).reshape(self.actionSpace.shape)

    def observe(self, observation, slot):
        place = 0
        for part in self.numbers:
            part.write(observation, self.observation[slot, place:place + part.size])
            place += part.size
        for part, frame in zip(self.images, self.frames):
            part.write(observation, frame[slot])

    def begin(self, observation, slot=0):
        self.hasSucceeded = False
        self.flags[slot] = 0
        self.info[slot] = self.numpy.nan
        self.observe(observation, slot)

    def take(self, slot, observation, reward, isTerminated, isTruncated, info):
        """Writes what a step brought; returns whether it ended the episode."""
        settings = self.settings
        self.observe(observation, slot)
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
        self.reward[slot] = float(reward)
        flags = TERMINATED * bool(isTerminated) | TRUNCATED * bool(isTruncated)
        if success is not None:
            flags |= SUCCESS_KNOWN | SUCCESS * self.hasSucceeded
            if success and settings["endsAtSuccess"]:
                flags |= TERMINATED
        elif settings["reward"] != "environment" or settings["endsAtSuccess"]:
            raise Refusal(
                "it does not say whether it succeeded: its info has "
                f"{', '.join(sorted(map(str, info))) or 'nothing'}; name one with the parameter 'successKey'")
        for place, key in enumerate(settings["info"]):
            self.info[slot, place] = self.number(info, key)
        if not self.infoKeys:
            self.infoKeys = sorted(map(str, info))
        self.flags[slot] = flags
        return bool(flags & (TERMINATED | TRUNCATED))

    def number(self, info, key):
        """A number or a truth value of the step's info; not-a-number where this step has none."""
        if key not in info:
            return self.numpy.nan
        try:
            value = self.numpy.asarray(info[key], dtype=self.numpy.float64)
        except (TypeError, ValueError):
            value = None
        if value is None or value.size != 1:
            raise Refusal(f"its info '{key}' is {type(info[key]).__name__} and not a number: leave it out of "
                          "the parameter 'info'")
        return value.item()

    def success(self, info):
        if self.successKey is None:
            self.successKey = next((key for key in SUCCESS_KEYS if key in info), None)
        if self.successKey is None and "episode_task_completions" in info:
            # Franka Kitchen: as many tasks as it has goals.
            goals = getattr(getattr(self.env, "unwrapped", self.env), "goal", None)
            return bool(goals) and len(info["episode_task_completions"]) == len(goals)
        if self.successKey is None or self.successKey not in info:
            return None
        return bool(self.numpy.all(self.numpy.asarray(info[self.successKey]) > 0))

    def facts(self):
        """What is known of it after some steps, and the most memory that its process has had."""
        import resource

        return {"successKey": self.successKey, "infoKeys": self.infoKeys,
                "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


class Environment(Row):
    """An environment that is stepped by itself."""

    def __init__(self, index, settings, memory, numpy):
        make = single_of_batch if settings["vector"] else SOURCES[settings["source"]]
        super().__init__(index, settings, memory, numpy, *make(settings))
        self.hasStarted = False
        self.seen, self.expert = None, None

    def reset(self, seed):
        self.start(seed)
        if self.expert:
            self.expert.reset(seed & 0x7FFFFFFF)

    def start(self, seed):
        try:
            answer = self.env.reset(seed=seed & 0x7FFFFFFF)
        except TypeError as error:
            if "seed" not in str(error):
                raise
            self.env.seed(seed & 0x7FFFFFFF)  # before Gym 0.26
            answer = self.env.reset()
        isPair = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)
        self.seen = answer[0] if isPair else answer
        self.begin(self.seen)
        self.hasStarted = True

    def step(self, count):
        """Plays some steps, as far as the episode goes."""
        for slot in range(count):
            answer = self.env.step(self.taken(slot))
            if len(answer) == 4:  # before Gym 0.26
                observation, reward, isDone, info = answer
                isTruncated = bool(info.get("TimeLimit.truncated", False))
                isTerminated = bool(isDone) and not isTruncated
            else:
                observation, reward, isTerminated, isTruncated, info = answer
            self.seen = observation
            hasEnded = self.take(slot, observation, reward, isTerminated, isTruncated, info)
            self.executed[0] = slot + 1
            # Attune ends an episode whose numbers are none.
            if hasEnded or not self.numpy.isfinite(self.observation[slot]).all():
                break

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

    def save(self):
        """Its exact state, where it can tell it; else nothing, and Attune replays its actions."""
        state = state_hooks(self.env)[0]()
        if not isinstance(state, (bytes, bytearray)):
            return b""
        return struct.pack("<B", self.hasSucceeded) + bytes(state)

    def restore(self, data):
        seed, self.hasSucceeded = struct.unpack("<Q?", data[:9])
        if not self.hasStarted:  # some take nothing before their first reset
            succeeded = self.hasSucceeded
            self.reset(seed)
            self.hasSucceeded = succeeded
        state_hooks(self.env)[1](data[9:])

    def for_expert(self):
        """What an expert observes, and the environment that it may see, if there is one of Python."""
        if self.settings["source"] == "beside":
            return self.observation[0].copy(), None
        if isinstance(self.env, (RobosuiteTask, MetaworldTask, SingleOfBatch)):
            return self.env.for_expert(self.seen)
        return self.seen, self.env

    def close(self):
        self.expert = None
        close = getattr(self.env, "close", None)
        if close:
            close()


class Expert:
    """What chooses actions in an environment: an object of the user's with `act(observation)`, and with
    `reset(seed)` where it begins anew with an episode. Each may also have the parameter `env`."""

    def __init__(self, row, settings):
        self.row = row
        self.ask(self.make, settings)

    def ask(self, function, *arguments):
        """Errors are the expert's from here on."""
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            error.isExpert = True
            raise

    def make(self, settings):
        make, keywords = of_user(settings["name"], "attune_expert"), settings["kwargs"]
        self.expert = make(**keywords, **({} if "env" in keywords else self.wanted(make)))
        if not callable(getattr(self.expert, "act", None)):
            raise Refusal("it has no method 'act(observation)'")
        self.actKeywords = self.wanted(self.expert.act)

    def wanted(self, function, **offers):
        """Those of some arguments, and of the environment, that are among a function's parameters."""
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):  # written in C, which tells nothing
            return {}
        env = self.row.for_expert()[1]
        if env is not None:
            offers["env"] = env
        elif "env" in parameters and parameters["env"].default is inspect.Parameter.empty:
            raise Refusal("it wants to see the environment ('env'), which is not one of Python")
        return {name: value for name, value in offers.items() if name in parameters}

    def reset(self, seed):
        reset = getattr(self.expert, "reset", None)
        if reset:
            self.ask(lambda: reset(**self.wanted(reset, seed=seed)))

    def act(self):
        self.row.action[0] = self.ask(self.action)

    def action(self):
        numpy, shape = self.row.numpy, self.row.actionSpace.shape
        given = self.expert.act(self.row.for_expert()[0], **self.actKeywords)
        try:
            action = None if given is None else array(numpy, given).astype(numpy.float64)
        except (TypeError, ValueError):
            action = None
        if action is None:
            raise Refusal(f"its action is of the type {type(given).__name__} and no array of numbers")
        if action.shape != shape:
            raise Refusal(
                f"its action has the shape {list(action.shape)}, and the environment takes {list(shape)}")
        if not numpy.isfinite(action).all():
            raise Refusal(f"its action is not finite: {action.reshape(-1).tolist()}")
        limit = float(numpy.finfo(numpy.float32).max)
        return numpy.clip(action, -limit, limit).reshape(-1)


def state_hooks(env):
    """`get_state` and `set_state`, where an environment has both."""
    for owner in (env, getattr(env, "unwrapped", None)):
        hooks = tuple(getattr(owner, name, None) for name in ("get_state", "set_state"))
        if all(callable(hook) for hook in hooks):
            return hooks
    return None


# Batches: sources that step several environments at once, with the interface of gymnasium.vector.VectorEnv


def batch_of(settings, count):
    """A vector environment, which ends its episodes by its own time limit."""
    source, name = settings["source"], settings["name"]
    keywords = dict(settings["kwargs"])
    if settings["render"]:
        keywords["render_mode"] = "rgb_array"
    if source == "python":
        settings = dict(settings, kwargs=dict(settings["kwargs"], num_envs=count))
        return from_function(settings)[0]
    if source != "gymnasium":
        raise Refusal(f"{source} has no vector environments: leave out the parameter 'vector'")
    import gymnasium

    import_registrar(name)
    if settings["timeLimit"] > 0:
        keywords["max_episode_steps"] = settings["timeLimit"]
    return gymnasium.make_vec(name, num_envs=count, **keywords)


def autoreset(env):
    """When it resets a row by itself: NextStep (also where it does not say), SameStep or Disabled."""
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode", "NextStep")
    return str(getattr(mode, "value", mode))


def can_reset_rows(env):
    """Gymnasium's own vectors reset the rows of a mask, with a seed each; others would reset all."""
    inner = getattr(env, "unwrapped", env)
    return type(inner).__name__ in ("SyncVectorEnv", "AsyncVectorEnv")


def array(numpy, value):
    """An array of what may be a tensor of another library."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return numpy.asarray(value)


def row_of(numpy, value, row):
    """A row of a batch of observations."""
    if isinstance(value, dict):
        return {key: row_of(numpy, inner, row) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(row_of(numpy, inner, row) for inner in value)
    return array(numpy, value)[row]


def row_info(numpy, infos, row):
    """What a step's info says of a row: Gymnasium marks by _key which rows have the key."""
    found = {}
    for key, value in infos.items():
        if key.startswith("_") or key in ("final_obs", "final_observation", "final_info"):
            continue
        mask = infos.get("_" + key)
        if mask is not None and not mask[row]:
            continue
        if isinstance(value, dict):
            found[key] = row_info(numpy, value, row)
        elif hasattr(value, "__getitem__") and hasattr(value, "__len__") and len(value) > row:
            found[key] = value[row]
    return found


class BatchResult:
    """What a step of a batch brought, row by row."""

    def __init__(self, numpy, mode, answer):
        observation, reward, terminated, truncated, infos = answer
        self.numpy, self.mode, self.observation, self.infos = numpy, mode, observation, infos
        self.reward = array(numpy, reward)
        self.terminated, self.truncated = array(numpy, terminated), array(numpy, truncated)

    def of(self, row):
        numpy, infos = self.numpy, self.infos
        terminated, truncated = bool(self.terminated[row]), bool(self.truncated[row])
        observation, info = row_of(numpy, self.observation, row), row_info(numpy, infos, row)
        following = None
        if self.mode == "SameStep" and (terminated or truncated):
            final = infos.get("final_obs", infos.get("final_observation"))
            if final is None:
                raise Refusal("it resets rows in the step that ends them and does not give their final_obs")
            following = observation
            observation = row_of(numpy, final, row) if isinstance(final, dict) else final[row]
            last = infos.get("final_info")
            if last is not None:
                info = row_info(numpy, last, row) if isinstance(last, dict) else last[row] or {}
        return observation, self.reward[row], terminated, truncated, info, following


class SingleOfBatch:
    """A vector environment of one row, as an environment: every reset is by a seed."""

    def __init__(self, env, numpy):
        self.env, self.numpy = env, numpy
        self.metadata = getattr(env, "metadata", None) or {}
        self.observation_space = getattr(env, "single_observation_space", env.observation_space)
        self.action_space = getattr(env, "single_action_space", env.action_space)
        self.mode = autoreset(env)

    def for_expert(self, observation):
        return observation, self.env

    def reset(self, seed=None):
        return row_of(self.numpy, self.env.reset(seed=seed)[0], 0), {}

    def step(self, action):
        return BatchResult(self.numpy, self.mode, self.env.step(action[None])).of(0)[:5]

    def render(self):
        frames = self.env.render()
        return frames[0] if frames is not None and len(frames) else None

    def close(self):
        self.env.close()


def single_of_batch(settings):
    import numpy

    # Attune's limit is as good as its own, and all there is for a function's.
    return SingleOfBatch(batch_of(settings, 1), numpy), None


class BatchRow(Row):
    def __init__(self, index, settings, memory, numpy, spaces):
        super().__init__(index, settings, memory, numpy, spaces, None)
        self.hasEnded = False  # and was not reset since
        self.hasStart = False  # an episode has begun that nobody has taken yet


class Batch:
    """Environments that are stepped together."""

    def __init__(self, settings, memory, numpy):
        self.numpy = numpy
        self.env = batch_of(settings, settings["rows"])
        self.mode, self.canResetRows = autoreset(self.env), can_reset_rows(self.env)
        self.takesSubsets = all(callable(getattr(self.env, name, None)) for name in ("send", "recv"))
        if self.mode == "Disabled" and not self.canResetRows:
            raise Refusal("it resets no row by itself (autoreset_mode Disabled), nor for Attune")
        spaces = SingleOfBatch(self.env, numpy)
        self.rows = [BatchRow(index, settings, memory, numpy, spaces) for index in range(settings["rows"])]
        space = self.rows[0].actionSpace
        self.rest = ((self.rows[0].low + self.rows[0].high) / 2).astype(space.dtype).reshape(space.shape)
        self.hasStarted = False
        self.description = dict(self.rows[0].description, hasState=False)

    def step(self):
        """Steps the rows that take part. Where all must move, the others rest in the middle of their bounds
        until the rest of their neighbours' chunk is over."""
        numpy = self.numpy
        active = [index for index, row in enumerate(self.rows) if row.takesPart[0]]
        if self.takesSubsets:
            self.play(active, self.env.step(
                numpy.stack([self.rows[index].taken(0) for index in active]), numpy.array(active)))
            return
        if self.mode == "Disabled":  # a row that has ended may not be stepped
            self.reset_rows([index for index, row in enumerate(self.rows) if row.hasEnded])
        actions = [row.taken(0) if row.takesPart[0] else self.rest for row in self.rows]
        self.play(range(len(self.rows)), self.env.step(numpy.stack(actions)))

    def play(self, indices, answer):
        result = BatchResult(self.numpy, self.mode, answer)
        # EnvPool tells whose results these are.
        if "env_id" in result.infos and self.takesSubsets:
            indices = [int(index) for index in result.infos["env_id"]]
        for place, index in enumerate(indices):
            row = self.rows[index]
            observation, reward, terminated, truncated, info, following = result.of(place)
            hasEnded = (terminated or truncated) and following is None
            if self.mode == "NextStep" and row.hasEnded:  # this step was the reset
                row.begin(observation)
                row.flags[0] = STARTED
                row.hasEnded, row.hasStart = False, True
            elif row.hasStart:  # nobody has taken its episode, which moves on
                row.begin(observation if following is None else following)
                row.flags[1] = 0
                row.hasEnded, row.hasStart = hasEnded, not hasEnded
            else:
                row.take(0, observation, reward, terminated, truncated, info)
                row.hasEnded = hasEnded
                if following is not None:
                    row.observe(following, 1)  # until somebody takes it, or it moves on
                    row.flags[1], row.hasStart = STARTED, True

    def reset(self):
        """Starts episodes of the rows that take part; a row that has to wait for its reset is STALE."""
        asked = [index for index, row in enumerate(self.rows) if row.takesPart[0]]
        isWhole = len(asked) == len(self.rows)
        if isWhole and self.canResetRows:
            self.hasStarted = True
        elif isWhole or not self.hasStarted:
            self.reset_all(int(self.rows[asked[0]].seed[0]) & 0x7FFFFFFF)
        if self.canResetRows:
            self.reset_rows(asked)
        elif self.takesSubsets:
            ended = [index for index in asked if self.rows[index].hasEnded]
            if ended:
                self.play(ended, self.env.step(
                    self.numpy.stack([self.rest] * len(ended)), self.numpy.array(ended)))
        for index in asked:
            row = self.rows[index]
            if not row.hasStart and not row.hasEnded:
                raise Refusal(
                    "an episode is to end where the environment continues, and it cannot reset one row: let it "
                    "end its episodes itself, or leave out the parameter 'vector'")
            if row.hasStart and row.flags[1] & STARTED:
                row.observation[0] = row.observation[1]
                for frame in row.frames:
                    frame[0] = frame[1]
            row.flags[0] = STALE if row.hasEnded else STARTED
            row.flags[1] = 0
            row.hasStart = False
            row.hasSucceeded = False

    def reset_all(self, seed):
        """One seed decides everything from here on, if the environment takes one."""
        try:
            answer = self.env.reset(seed=seed)
        except TypeError as error:
            if "seed" not in str(error):
                raise
            answer = self.env.reset()  # EnvPool, which is seeded when it is made
        self.hasStarted = True
        for index, row in enumerate(self.rows):
            row.begin(row_of(self.numpy, answer[0], index))
            row.flags[1] = 0
            row.hasEnded, row.hasStart = False, True

    def reset_rows(self, indices):
        """Resets some rows by their own seeds, where the environment can."""
        if not indices:
            return
        numpy = self.numpy
        mask = numpy.zeros(len(self.rows), bool)
        mask[indices] = True
        seeds = [int(row.seed[0]) & 0x7FFFFFFF for row in self.rows]
        answer = self.env.reset(seed=seeds, options={"reset_mask": mask})
        for index in indices:
            row = self.rows[index]
            row.begin(row_of(numpy, answer[0], index))
            row.flags[1] = 0
            row.hasEnded, row.hasStart = False, True

    def facts(self):
        return self.rows[0].facts()

    def close(self):
        self.env.close()


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
            "isRefusal": isinstance(error, Refusal), "isExpert": getattr(error, "isExpert", False)}


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
    memory, numpy, environments, batch = None, None, {}, None
    isBatch = settings["rows"] > 0
    while True:
        operation, index, value = struct.unpack("<IIQ", read(16))
        data = read(value) if operation in (RESTORE, EXPERT) else b""
        try:
            if operation == STEP:
                if isBatch:
                    batch.step()
                else:
                    environments[index].step(value)
                answer(DONE)
            elif operation == RESET:
                if isBatch:
                    batch.reset()
                else:
                    environments[index].reset(value)
                answer(DONE)
            elif operation == MAKE:
                if settings.get("protocolVersion") != PROTOCOL:
                    raise Refusal(
                        f"its worker knows version {PROTOCOL} of the protocol, and Attune speaks version "
                        f"{settings.get('protocolVersion')}: both come with Attune; build or install it anew")
                if numpy is None:
                    numpy = importlib.import_module("numpy")
                    memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
                seeded = dict(settings, seed=value)
                if isBatch:
                    environments[index] = batch = Batch(seeded, memory, numpy)
                else:
                    environments[index] = Environment(index, seeded, memory, numpy)
                answer(DETAILS, json.dumps(environments[index].description, allow_nan=False).encode())
            elif operation == RENDER:
                frame = environments[index].render()
                answer(DETAILS, struct.pack("<II", *frame.shape[:2]) + frame.tobytes())
            elif operation == SAVE:
                answer(DETAILS, environments[index].save())
            elif operation == RESTORE:
                environments[index].restore(data)
                answer(DONE)
            elif operation == EXPERT:
                environments[index].expert = Expert(environments[index], json.loads(data))
                answer(DONE)
            elif operation == ACT:
                environments[index].expert.act()
                answer(DONE)
            elif operation == FACTS:
                answer(DETAILS, json.dumps(environments[index].facts()).encode())
            else:
                environments.pop(index).close()
                answer(DONE)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            answer(FAILED, json.dumps(blame(error)).encode())


if "ATTUNE_WORKER_MEMORY" in globals():
    main(ATTUNE_WORKER_REQUESTS, ATTUNE_WORKER_ANSWERS, ATTUNE_WORKER_MEMORY)
