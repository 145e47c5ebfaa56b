"""Where labels lie against the half-maximum edges of the image: readers' marks and drawn corners.

python -m tests.benchmarks.edges

Prints how far outside the mark the edge lies, median mm at an end of the body, in front, in the
middle and behind: on the read CT at the readers' marks, on drawn images at the drawn outline.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vfnode.evaluation.datasets.reference import ReadCT, read_list
from vfnode.training.keypoints.site_bodies import LOOKS, SIDE_PX, STEP_MM, body_cuts
from vfnode.training.site_data import ReadSpine
from vfnode.training.synthetic.plane.apparent import apparent_keypoints
from vfnode.training.synthetic.plane.degrade import average_over
from vfnode.training.synthetic.plane.sagittal import draw_natural

LISTS = ("reference_cases.json", "chest_cases.json")
SLICES_MM = (1.0, 2.5, 4.0)
IMAGES = 20
BODIES = range(4, 20)  #: of a drawn column: C6 to L4


def read_shifts(ct: ReadCT) -> np.ndarray:
    """(n, 3, 2) of the bodies of a read CT between two others."""
    points = np.array([b.keypoints_mm for b in ct.reading.bodies if b.complete], float)
    spine = ReadSpine(ct.volume(), points, np.zeros((0, 3)), None)
    cuts = body_cuts(spine, np.random.default_rng(1))
    middle_mm = (SIDE_PX - 1) / 2 * STEP_MM
    return np.array(
        [
            shifts(hu.astype(float), bodies + middle_mm, 1, STEP_MM)
            for hu, bodies in zip(cuts.hu[::LOOKS], cuts.keypoints_mm[::LOOKS], strict=True)
            if np.isfinite(bodies).all()
        ]
    ).reshape(-1, 3, 2)


def drawn_shifts(slice_mm: float) -> np.ndarray:
    """(n, 3, 2) of drawn bodies, seen through slices of one thickness."""

    def every() -> Iterator[np.ndarray]:
        for seed in range(IMAGES):
            drawn = draw_natural(np.random.default_rng([3, seed]), STEP_MM)
            clean = average_over(drawn.hu, slice_mm, STEP_MM)
            for body in BODIES:
                yield shifts(clean, drawn.keypoints_mm, body, STEP_MM)

    return np.array(list(every()))


def shifts(image: np.ndarray, keypoints_mm: np.ndarray, body: int, step_mm: float) -> np.ndarray:
    """How far outside each keypoint of a body its edge lies, (3, 2) mm."""
    own = keypoints_mm[body]
    down = own[:, 1] - own[:, 0]
    axis = down / np.linalg.norm(down, axis=-1, keepdims=True)
    moved = apparent_keypoints(image, keypoints_mm, body, step_mm) - own
    return np.asarray((moved * np.stack([-axis, axis], 1)).sum(-1))


def line(name: str, found: np.ndarray) -> str:
    """One line of the table."""
    median = np.median(found, axis=(0, 2))
    return f"| {name} | {len(found)} | " + " | ".join(f"{value:+.2f}" for value in median) + " |"


def main() -> None:
    """Print the table."""
    print("| | bodies | anterior | middle | posterior |\n|---|--:|--:|--:|--:|")
    for name in LISTS:
        for ct in read_list(Path(__file__).with_name(name)):
            if len(found := read_shifts(ct)):
                print(line(f"read: {ct.name}", found), flush=True)
    for slice_mm in SLICES_MM:
        print(line(f"drawn outline, slices of {slice_mm:g} mm", drawn_shifts(slice_mm)), flush=True)


if __name__ == "__main__":
    main()
