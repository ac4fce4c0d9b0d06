"""Writes three short Push-T episodes as pymunk plays them, with shapely's coverage of the goal.

    python3.10 -m venv v
    v/bin/pip install pymunk==6.2.1 shapely==1.8.4 'numpy<2'
    v/bin/python make_push_t_goldens.py

`push-t-initial.npy`: float64 [episodes, agent x y, block x y angle]. `push-t-steps.npy`: float64
[episodes, steps, target x y | agent x y, block x y angle | coverage]. `coverage.npy`: float64
[poses, block x y angle, coverage] for block poses around the goal.
"""

from pathlib import Path

import numpy as np
import pymunk
from shapely.affinity import rotate, translate
from shapely.geometry import box
from shapely.ops import unary_union

HERE = Path(__file__).parent
BAR = [(-60, 30), (60, 30), (60, 0), (-60, 0)]
STEM = [(-15, 30), (-15, 120), (15, 120), (15, 30)]
TEE = unary_union([box(-60, 0, 60, 30), box(-15, 30, 15, 120)])
GOAL = (256, 256, np.pi / 4)


def tee_at(x, y, angle):
    return translate(rotate(TEE, angle, origin=(0, 0), use_radians=True), x, y)


def coverage(x, y, angle):
    goal = tee_at(*GOAL)
    return tee_at(x, y, angle).intersection(goal).area / goal.area


class Plane:
    def __init__(self, state):
        self.space = pymunk.Space()
        self.space.damping = 0
        corners = [((5, 506), (5, 5)), ((5, 5), (506, 5)), ((506, 5), (506, 506)),
                   ((5, 506), (506, 506))]
        for start, end in corners:
            self.space.add(pymunk.Segment(self.space.static_body, start, end, 2))
        self.agent = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
        self.agent.position = 256, 400
        self.space.add(self.agent, pymunk.Circle(self.agent, 15))
        self.block = pymunk.Body(1, 2 * pymunk.moment_for_poly(1, BAR))
        parts = [pymunk.Poly(self.block, part) for part in (BAR, STEM)]
        centers = [part.center_of_gravity for part in parts]
        self.block.center_of_gravity = (centers[0] + centers[1]) / 2
        self.block.position = 256, 300
        self.space.add(self.block, *parts)
        self.agent.position = tuple(state[:2])
        self.block.angle = state[4]
        self.block.position = tuple(state[2:4])
        self.space.step(0.01)

    def state(self):
        return [*self.agent.position, *self.block.position, self.block.angle]

    def step(self, target):
        for _ in range(10):
            velocity = np.array(self.agent.velocity)
            pull = 100 * (target - np.array(self.agent.position)) - 20 * velocity
            self.agent.velocity = tuple(velocity + 0.01 * pull)
            self.space.step(0.01)


def chase(plane, side, rng):
    """A target behind the block as the agent sees it, `side` pixels off the line to its middle."""
    agent = np.array(plane.agent.position)
    line = np.array(plane.block.local_to_world((0, 45))) - agent
    line /= np.linalg.norm(line)
    target = agent + 50 * line + side * np.array([-line[1], line[0]]) + rng.normal(0, 4, 2)
    return np.float32(np.clip(target, 90, 420)).astype(np.float64)


PLANS = [
    # Down through the goal, turning one way and the other.
    ((256, 60, 250, 180, 0.4), [(0, 14), (25, 22), (-25, 24)]),
    # Round the end of the bar and back.
    ((60, 200, 190, 190, -2.0), [(40, 20), (-40, 20), (10, 20)]),
    # Into the right wall and along it.
    ((250, 310, 380, 300, 1.2), [(0, 25), (30, 15), (-30, 20)]),
]


def main():
    rng = np.random.default_rng(7)
    initial, steps = [], []
    for state, plan in PLANS:
        plane = Plane(state)
        initial.append(state)
        rows = []
        for side in [side for side, count in plan for _ in range(count)]:
            target = chase(plane, side, rng)
            plane.step(target)
            rows.append([*target, *plane.state(), coverage(*plane.state()[2:])])
        steps.append(rows)
        moved = np.abs(np.array(rows)[-1, 4:7] - np.array(state)[2:]).round(2)
        print("block moved by", moved, "best coverage", max(row[-1] for row in rows))
    np.save(HERE / "push-t-initial.npy", np.array(initial, dtype=np.float64))
    np.save(HERE / "push-t-steps.npy", np.array(steps))

    poses = np.array(GOAL) + rng.normal(0, 1, (200, 3)) * [40, 40, 1.0]
    poses[:40] = np.array(GOAL) + rng.normal(0, 1, (40, 3)) * [2, 2, 0.02]
    # The awkward ones: on the goal, an edge on an edge, quarter turns, far away.
    poses[40:46] = [GOAL, (256, 256, np.pi / 4 + np.pi), (256, 256, -np.pi / 4),
                    (256, 256, np.pi / 4 + 2 * np.pi), (300, 212, np.pi / 4), (60, 60, 0)]
    rows = [[*pose, coverage(*pose)] for pose in poses]
    np.save(HERE / "coverage.npy", np.array(rows))


if __name__ == "__main__":
    main()
