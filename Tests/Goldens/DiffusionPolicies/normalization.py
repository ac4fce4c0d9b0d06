"""Writes normalization.npz: what the DPPO reference's environments make of observations and actions.

Usage: python normalization.py

Needs numpy. The ranges are those of `get_d4rl_dataset.py`, float32 as the data; the formulas are
those of `mujoco_locomotion_lowdim.py`, in which float32 stays float32.
"""

import pathlib

import numpy as np


def ranges():
    """Constants, ranges of a few digits' rounding and usual ones, at every magnitude of float32."""
    lows, highs = [], []
    for exponent in range(-8, 9):
        for sign in (-1, 1):
            low = np.float32(sign * 2.5 * 10.0**exponent)
            for high in (
                low,
                np.nextafter(low, np.float32(np.inf)),
                low + np.abs(low) * np.float32(1e-6),
                low + np.float32(1e-5),
                low + np.float32(1),
                low + np.abs(low) * np.float32(2),
            ):
                lows.append(low)
                highs.append(np.float32(high))
    lows.append(np.float32(0))
    highs.append(np.float32(0))
    return np.array(lows), np.array(highs)


low, high = ranges()
assert low.dtype == high.dtype == np.float32 and (high >= low).all()
# [6, D]: both ends, the middle, one digit beyond, and outside.
observations = np.stack(
    [
        low,
        high,
        low + (high - low) / 2,
        np.nextafter(high, np.float32(np.inf)),
        low - np.float32(0.01),
        high + np.float32(3),
    ]
)
actions = np.broadcast_to(
    np.array([-1, 0, 1, 0.3, -0.77, -2], np.float32)[:, None], observations.shape
)
normalized = 2 * ((observations - low) / (high - low + 1e-6) - 0.5)
raw_actions = (actions + 1) / 2 * (high - low) + low
assert observations.dtype == normalized.dtype == raw_actions.dtype == np.float32
np.savez_compressed(
    pathlib.Path(__file__).parent / "normalization.npz",
    obs_min=low,
    obs_max=high,
    action_min=low,
    action_max=high,
    observations=observations,
    normalized=normalized,
    actions=actions,
    raw_actions=raw_actions,
)
