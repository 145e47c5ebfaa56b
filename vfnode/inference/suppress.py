"""Non-maximum suppression by the Butterfly IoU, then the best chain down the spine.

Butterfly IoU: intersection over union of the hexagons on the six keypoints
(Zakharov, Pisov et al. 2023, section 3.3).
"""

from collections.abc import Callable, Sequence

import numpy as np
from shapely.geometry import Polygon
from shapely.validation import make_valid

from vfnode.spine.vertebra import Vertebra

BUTTERFLY_IOU_LIMIT = 0.1
_OVERLAP_MM = 2.0  #: neighbours may overlap by so much along the spine: fused, tilted, or misread


def butterfly(keypoints_mm: np.ndarray) -> Polygon:
    """Hexagon through the six keypoints (3, 2, 2), superior points first, inferior ones back."""
    outline = np.concatenate([keypoints_mm[:, 0], keypoints_mm[::-1, 1]])
    hexagon = Polygon(outline)
    return hexagon if hexagon.is_valid else make_valid(hexagon)


def butterfly_iou(first_mm: np.ndarray, second_mm: np.ndarray) -> float:
    """Intersection over union of two hexagons, keypoints (3, 2, 2) in the same frame."""
    one, other = butterfly(first_mm), butterfly(second_mm)
    union = one.union(other).area
    return float(one.intersection(other).area / union) if union > 0 else 0.0


def suppress(
    candidates: Sequence[Vertebra],
    limit: float = BUTTERFLY_IOU_LIMIT,
    overlap_of: Callable[[np.ndarray, np.ndarray], float] = butterfly_iou,
) -> tuple[Vertebra, ...]:
    """Keep the best of overlapping bodies, then the best ordered chain, cranial to caudal.

    Args:
        candidates: in any order.
        limit: largest overlap of two bodies that are both kept.
        overlap_of: keypoints (3, 2, 2) of two bodies -> their overlap, 0 to 1.
    """
    kept: list[Vertebra] = []
    for candidate in sorted(candidates, key=lambda vertebra: -vertebra.score):
        overlaps = (overlap_of(candidate.keypoints, other.keypoints) for other in kept)
        if all(overlap <= limit for overlap in overlaps):
            kept.append(candidate)
    return best_chain(kept)


def best_chain(candidates: Sequence[Vertebra]) -> tuple[Vertebra, ...]:
    """The disjoint sequence down the spine whose scores sum highest (dynamic programming)."""
    ordered = sorted(candidates, key=lambda vertebra: float(vertebra.centre[1]))
    intervals = [_middle_interval(vertebra) for vertebra in ordered]
    best: list[tuple[float, int]] = []  # score of the chain ending here, index before or -1
    for index, vertebra in enumerate(ordered):
        before = [
            (best[other][0], other)
            for other in range(index)
            if intervals[other][1] <= intervals[index][0] + _OVERLAP_MM
        ]
        total, previous = max(before, default=(0.0, -1))
        best.append((total + vertebra.score, previous))
    chain: list[Vertebra] = []
    index = max(range(len(best)), key=lambda i: best[i][0], default=-1)
    while index >= 0:
        chain.append(ordered[index])
        index = best[index][1]
    return tuple(chain[::-1])


def _middle_interval(vertebra: Vertebra) -> tuple[float, float]:
    """Extent along the spine, mean of the superior and of the inferior points, mm."""
    upper, lower = vertebra.keypoints[:, :, 1].mean(0)
    return float(upper), float(lower)
