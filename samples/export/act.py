"""Lets a policy that `attune policy export` wrote act, with onnxruntime and without Attune.

    attune policy export --checkpoint checkpoints/hopper-finetuned.safetensors --output hopper.onnx
    pip install onnxruntime
    python3 samples/export/act.py hopper.onnx
"""

import sys

import numpy
import onnxruntime


class Policy:
    """An exported policy on its way through an episode; make one for each robot."""

    def __init__(self, path, seed=0):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.shapes = {port.name: port.shape[1:] for port in self.session.get_inputs()}
        self.random = numpy.random.default_rng(seed)
        self.reset()

    def reset(self):
        """Begins the next episode."""
        self.history = []

    def observe(self, observation):
        """Takes an observation, in the environment's units: each one that there is."""
        # The first observation stands for those that were never made.
        steps = self.shapes["observation"][0]
        self.history = (self.history or [observation] * steps)[1:] + [observation]
        self.history = self.history[-steps:]

    def actions(self):
        """The actions `[Ta, Da]` to execute before the next decision."""
        feed = {"observation": numpy.asarray([self.history], numpy.float32)}
        if "noise" in self.shapes:
            noise = self.random.standard_normal([1, *self.shapes["noise"]], numpy.float32)
            feed["noise"] = noise
        return self.session.run(["actions"], feed)[0][0]


def main():
    policy = Policy(sys.argv[1])
    for port in policy.session.get_inputs() + policy.session.get_outputs():
        print(port.name, port.shape)
    observation = [0.0] * policy.shapes["observation"][1]
    for _ in range(3):
        policy.observe(observation)
        for action in policy.actions():
            # A robot would execute the action here, and observe what came of it.
            print(action.tolist())
            policy.observe(observation)


if __name__ == "__main__":
    main()
