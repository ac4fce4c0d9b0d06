"""Lets a policy that `attune policy serve` serves act: a robot's side, in Python's standard library.

    attune policy serve --checkpoint checkpoints/hopper-finetuned.safetensors --port 8765
    python3 samples/serve/client.py --port 8765
"""

import argparse
import base64
import http.client
import json
import math


class Policy:
    """A served policy, and one session with it: a robot, or an episode of a simulator."""

    def __init__(self, host="127.0.0.1", port=8765, session="default", token=None):
        # One connection for all requests: opening one for each would take longer than an answer.
        self.connection = http.client.HTTPConnection(host, port, timeout=10)
        self.session = session
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = "Bearer " + token
        self.description = self.request("GET", "/")
        self.shapes = {camera["name"]: [camera["height"], camera["width"], camera["channelCount"]]
                       for camera in self.description["cameras"]}

    def request(self, method, path, content=None):
        body = None if content is None else json.dumps(content)
        self.connection.request(method, path, body, self.headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise ValueError(answer["error"])
        return answer

    def reset(self, **episode):
        """Begins the next episode; `episode=0, seed=1_000_000` begins that of `policy evaluate`."""
        return self.request("POST", "/reset", {"session": self.session, **episode})["episode"]

    def act(self, observation, images=None):
        """The action for one observation, a list of numbers, and the bytes of images by camera."""
        content = {"session": self.session, "observation": list(map(float, observation))}
        if images:
            content["images"] = {
                name: {"shape": self.shapes[name], "bytes": base64.b64encode(image).decode()}
                for name, image in images.items()}
        return self.request("POST", "/act", content)["action"]

    def chunk(self, observations):
        """The actions until the next decision, for what was observed since the last one."""
        observations = [list(map(float, observation)) for observation in observations]
        content = {"session": self.session, "observations": observations, "chunk": True}
        return self.request("POST", "/act", content)["actions"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--token")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    policy = Policy(arguments.host, arguments.port, token=arguments.token)
    print(json.dumps(policy.description))
    policy.reset(episode=0)
    observation = [0.0] * policy.description["observationSize"]
    black = {name: bytes(math.prod(shape)) for name, shape in policy.shapes.items()}
    for _ in range(arguments.steps):
        # A robot would execute the action here, and observe what came of it.
        print(json.dumps(policy.act(observation, black)))


if __name__ == "__main__":
    main()
