"""Figures of a measurement of vertebral bodies against the truth."""

import numpy as np

MATCH_MM = 10.0
FRACTURE_RATIO = 0.74  #: moderate deformity or worse


def match(found_mm: np.ndarray, wanted_mm: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (found, wanted) of centres (n, 2), nearest first, at most MATCH_MM apart."""
    if len(found_mm) == 0 or len(wanted_mm) == 0:
        return []
    distance = np.linalg.norm(found_mm[:, None] - wanted_mm, axis=-1)
    pairs: list[tuple[int, int]] = []
    while distance.min() <= MATCH_MM:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        pairs.append((int(i), int(j)))
        distance[i], distance[:, j] = np.inf, np.inf
    return pairs


def heights(keypoints_mm: np.ndarray) -> np.ndarray:
    """(n, 3, 2, 2) -> (n, 3)."""
    return np.asarray(np.linalg.norm(keypoints_mm[:, :, 1] - keypoints_mm[:, :, 0], axis=-1))


def measurement_figures(found_mm: np.ndarray, wanted_mm: np.ndarray) -> dict[str, float]:
    """Errors of matched bodies, keypoints (n, 3, 2, 2) in mm.

    `ratio_slope` is that of the found on the true height ratio: 1 means true to
    size, less means shrunk towards normal. `ratio_auc` ranks bodies at or below
    a ratio of 0.74 against the others.
    """
    tall, true_tall = heights(found_mm), heights(wanted_mm)
    ratio, true_ratio = tall.min(1) / tall.max(1), true_tall.min(1) / true_tall.max(1)
    fractured = true_ratio <= FRACTURE_RATIO
    return {
        "keypoint_mm": float(np.linalg.norm(found_mm - wanted_mm, axis=-1).mean()),
        "height_mae_mm": float(np.abs(tall - true_tall).mean()),
        "height_bias_mm": float((tall - true_tall).mean()),
        "ratio_mae": float(np.abs(ratio - true_ratio).mean()),
        "ratio_slope": float(np.polyfit(true_ratio, ratio, 1)[0]),
        "ratio_correlation": float(np.corrcoef(true_ratio, ratio)[0, 1]),
        "ratio_auc": _auc(-ratio[fractured], -ratio[~fractured]),
    }


def _auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive ranks above a negative; ties count half."""
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    difference = positive[:, None] - negative
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())
