"""What each part of the detector brings: one short training each, measured alike.

python -m tests.benchmarks.ablations --minutes 12 --work FOLDER

Every variant reads the same images in the same order for the same time, and is measured on the
same synthetic hold-out and, where they are there, on the real CT with reference readings,
straightened along the read curve. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.benchmarks.anchor_boxes import (
    AnchorBoxDetector,
    anchor_batch,
    anchor_loss,
    box_iou,
    detect_by_boxes,
)
from tests.reference_cases import ABSENT, CASES
from vfnode.cli.training_data import site_data
from vfnode.evaluation import metrics
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.results import CaseResult, compare
from vfnode.inference.bundle import load_bundle, models_dir
from vfnode.inference.detect_vertebrae import detect_in_image
from vfnode.inference.refine_keypoints import refine_keypoints
from vfnode.inference.suppress import suppress
from vfnode.networks.vertebra_detector import VertebraDetector
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.straighten import StraightenedSagittal, straighten
from vfnode.spine.volume import FloatArray
from vfnode.training.loop import LoopOptions, LossFunction, train
from vfnode.training.site_data import ReadSpine
from vfnode.training.vertebrae.batches import detector_batch, random_crop
from vfnode.training.vertebrae.drawn_images import DrawnImages, drawn_images
from vfnode.training.vertebrae.loss import detector_loss
from vfnode.training.vertebrae.recipe import CROP, Detect, held_out_figures
from vfnode.training.vertebrae.site_images import read_curve

LIST = Path(__file__).parent / "reference_cases.json"
BATCH, SEED = 8, 1
HEAD = (
    "| variant | recall | precision | slope of G | G MAE | AUC G ≤ 0.74 | heights MAE, mm "
    "| real: recall | precision | G MAE | heights MAE, mm |\n|---|" + "--:|" * 10
)
DRAWN = ("recall", "precision", "ratio_slope", "ratio_mae", "ratio_auc", "height_mae_mm")
REAL = (metrics.recall, metrics.precision, metrics.ratio_mae, metrics.height_mae)


@dataclass(frozen=True)
class Run:
    """Where the variants are trained, and for how long."""

    work: Path
    minutes: float
    images: int

    @cached_property
    def drawn(self) -> DrawnImages:
        return drawn_images(self.work, self.images, SEED)

    def trained(
        self, name: str, network: nn.Module, batch: Callable[..., Any], loss: LossFunction
    ) -> nn.Module:
        """One variant after its minutes."""

        def batches(step: int) -> Any:
            rng = np.random.default_rng([SEED, 5, step])
            return batch([random_crop(rng, self.drawn, CROP) for _ in range(BATCH)])

        options = LoopOptions(self.work / f"{name}.pt", minutes=self.minutes)
        return train(network, batches, loss, options)


@dataclass(frozen=True)
class RealCT:
    """A reference case, straightened along the read curve."""

    name: str
    spine: ReadSpine
    image: StraightenedSagittal

    def compared(self, keypoints_mm: FloatArray) -> CaseResult:
        """Found bodies (n, 3, 2, 3) against the reading, between its outermost bodies."""
        read = self.spine.keypoints_mm
        top, bottom = read[0, ..., 2].max() + 5, read[-1, ..., 2].min() - 5
        found = [k for k in keypoints_mm if bottom <= k[..., 2].mean() <= top]
        return compare(
            Case(self.name, self.name),
            Reading(tuple(map(Body.of_keypoints, read))),
            Reading(tuple(map(Body.of_keypoints, found))),
        )


def real_ct() -> list[RealCT]:
    """The reference cases; none where the public CT are not on this machine."""
    if not all(case.present for case in CASES):
        print(ABSENT)
        return []
    cases = []
    for ct in site_data([f"reference:{LIST}"], 1.0, None, 1, SEED).cases:
        spine = ct.load()
        image = straighten(spine.volume.canonical(), read_curve(spine))
        cases.append(RealCT(ct.patient, spine, image))
    return cases


def on_real(detect: Detect, cases: list[RealCT], second_look: bool = False) -> tuple[float, ...]:
    """Figures of ``REAL`` over all reference cases."""
    results = []
    for case in cases:
        bodies = np.array([body.keypoints for body in detect(case.image.hu)])
        points = case.image.to_patient(bodies.reshape(-1, 3, 2, 2))
        if second_look and len(points):
            points = looked_again(case, points)
        results.append(case.compared(points))
    return tuple(metric(results) for metric in REAL)


def looked_again(case: RealCT, points_mm: FloatArray) -> FloatArray:
    """The shipped second look on top of a detector's points."""
    left = np.array([body_rotation(points)[:, 1] for points in points_mm])
    loaded = load_bundle(models_dir() / "keypoints")
    points, _, objectness = refine_keypoints(case.spine.volume.canonical(), points_mm, left, loaded)
    return points[objectness >= 0.5]


def row(name: str, drawn: dict[str, float] | None, real: tuple[float, ...]) -> str:
    """One line of the table."""
    cells = [drawn.get(key, float("nan")) if drawn else float("nan") for key in DRAWN]
    texts = [f"{value:.3f}" if np.isfinite(value) else "-" for value in (*cells, *real)]
    return f"| {name} | " + " | ".join(texts) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=12.0, help="training of each variant")
    parser.add_argument("--work", type=Path, required=True, help="images and checkpoints")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    run = Run(given.work, given.minutes, given.images)
    held_out = drawn_images(given.work, given.held_out, SEED + 8999)
    cases = real_ct()
    print(f"{given.minutes:g} minutes each, {given.images} images, seed {SEED}\n{HEAD}", flush=True)
    table = {}
    for name, detect, second_look in variants(run):
        drawn = None if second_look else held_out_figures(detect, held_out, SEED)
        real = on_real(detect, cases, second_look) if cases else (float("nan"),) * len(REAL)
        table[name] = {"drawn": drawn, "real": real}
        print(row(name, drawn, real), flush=True)
    (given.work / "ablations.json").write_text(json.dumps(table, indent=1), "utf-8")


def variants(run: Run) -> list[tuple[str, Detect, bool]]:
    """Name, detector, and whether the second look follows; trains what is not trained yet."""
    torch.manual_seed(SEED)
    shipped = run.trained("shipped", VertebraDetector(), detector_batch, detector_loss)
    torch.manual_seed(SEED)
    unweighted = partial(detector_loss, by_ratio=False)
    even = run.trained("even", VertebraDetector(), detector_batch, unweighted)
    torch.manual_seed(SEED)
    boxes = run.trained("boxes", AnchorBoxDetector(), anchor_batch, anchor_loss)
    by_boxes = partial(suppress, overlap_of=box_iou)
    whole = partial(detect_on, shipped, suppress)
    return [
        ("detector, points weighted by 1 / G, suppression by Butterfly IoU", whole, False),
        ("the same without 1 / G", partial(detect_on, even, suppress), False),
        ("suppression by box IoU", partial(detect_on, shipped, by_boxes), False),
        ("anchor boxes", partial(detect_by_boxes, boxes), False),
        ("detector and second look (shipped)", whole, True),
    ]


def detect_on(model: nn.Module, suppression: Any, hu: np.ndarray) -> Any:
    """The shipped way to detect, with another network or suppression."""
    return detect_in_image(hu, 1.0, model, suppression=suppression)


if __name__ == "__main__":
    main()
