"""Anterior, middle and posterior by name, as result.json writes them."""

from __future__ import annotations

import numpy as np

from vfnode.spine.vertebra import COLUMNS, ENDS
from vfnode.spine.volume import BoolArray, FloatArray


def of_columns(values: FloatArray, decimals: int) -> dict[str, float]:
    """(3,) -> {"anterior": ..., "middle": ..., "posterior": ...}."""
    return {
        column: round(float(value), decimals) for column, value in zip(COLUMNS, values, strict=True)
    }


def columns_array(named: dict[str, float]) -> FloatArray:
    """Inverse of :func:`of_columns`."""
    return np.array([named[column] for column in COLUMNS], float)


def named_points(points: FloatArray) -> dict[str, dict[str, list[float]]]:
    """(3, 2, D) -> {"anterior": {"superior": [...], "inferior": [...]}, ...}."""
    return {
        column: {
            end: [round(float(value), 4) for value in point]
            for end, point in zip(ENDS, pair, strict=True)
        }
        for column, pair in zip(COLUMNS, points, strict=True)
    }


def points_array(named: dict[str, dict[str, list[float]]]) -> FloatArray:
    """Inverse of :func:`named_points`."""
    return np.array([[named[column][end] for end in ENDS] for column in COLUMNS], float)


def named_flags(flags: BoolArray) -> dict[str, dict[str, bool]]:
    """(3, 2) -> {"anterior": {"superior": true, "inferior": false}, ...}."""
    return {
        column: {end: bool(flag) for end, flag in zip(ENDS, pair, strict=True)}
        for column, pair in zip(COLUMNS, flags, strict=True)
    }


def flags_array(named: dict[str, dict[str, bool]]) -> BoolArray:
    """Inverse of :func:`named_flags`."""
    return np.array([[named[column][end] for end in ENDS] for column in COLUMNS], bool)
