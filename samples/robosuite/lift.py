"""A scripted expert of robosuite's Lift, for `attune policy collect`. Actions are those of OSC_POSE: a small move of
the gripper in x, y and z, a small turn about each axis, and -1 to open or 1 to close."""

import numpy as np


class Lift:
    """Goes above the cube, down to it, closes the gripper and lifts. Reads what robosuite observes."""

    def __init__(self, gain=20.0):
        self.gain = gain

    def reset(self, seed):
        self.phase, self.closing = self.above, 0

    def act(self, observation):
        self.gripper, self.cube = observation["robot0_eef_pos"], observation["cube_pos"]
        turn = yaw(observation["robot0_eef_quat"])[1] - yaw(observation["cube_quat"])[0]
        self.turn = (np.pi / 4 - turn) % (np.pi / 2) - np.pi / 4  # a cube looks the same every quarter
        move, isClosed = self.phase()
        turn = np.clip(2 * self.turn, -1, 1) if not isClosed else 0
        return np.array([*np.clip(self.gain * move, -1, 1), 0, 0, turn, 1 if isClosed else -1])

    def above(self):
        move = self.cube + [0, 0, 0.06] - self.gripper
        if np.linalg.norm(move[:2]) < 0.01 and abs(move[2]) < 0.02:
            self.phase = self.down
        return move, False

    def down(self):
        move = self.cube - self.gripper
        if np.linalg.norm(move) < 0.012:
            self.phase = self.close
        return move, False

    def close(self):
        self.closing += 1
        if self.closing > 6:
            self.phase = self.lift
        return np.zeros(3), True

    def lift(self):
        return np.array([0, 0, 1 - self.gripper[2]]), True


def yaw(quaternion):
    """Where the first and the second axis of a body point, seen from above."""
    x, y, z, w = quaternion
    return (np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z)),
            np.arctan2(1 - 2 * (x * x + z * z), 2 * (x * y - z * w)))
