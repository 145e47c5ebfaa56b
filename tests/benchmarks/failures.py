"""The bodies that are measured worst, as a picture: the model cards' known failures.

``python -m tests.benchmarks.failures --rounds 6 --out docs/images/known-failures.png``: semi-real
CT of the case list; each body beside itself with the true (green) and found (red) heights.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vfnode.cli.evaluate import no_models, synthesize
from vfnode.evaluation.cases import Case, reading_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.datasets.semi_real import cases
from vfnode.evaluation.results import Pair, compare
from vfnode.inference.bundle import models_dir
from vfnode.inference.pipeline import Pipeline, load_pipeline
from vfnode.inference.refine_keypoints import BodyPlanes, slab_in_planes
from vfnode.spine.body_frame import body_rotation
from vfnode.spine.volume import CTVolume, FloatArray

CASES = Path(__file__).with_name("reference_cases.json")
SHOWN = 8
SIDE_MM, STEP_MM = 72.0, 0.25
WINDOW_HU = (-150.0, 500.0)
TRUE_COLOUR, FOUND_COLOUR, TEXT_COLOUR = (80, 220, 80), (255, 80, 80), (255, 255, 120)


@dataclass(frozen=True)
class Failure:
    """One body that was measured wrongly."""

    error: float  #: of the height ratio
    title: str
    tile: Image.Image


def worst(pipeline: Pipeline, rounds: int) -> list[Failure]:
    """The bodies with the largest errors of the ratio, worst first."""
    every = (
        failure
        for case in cases(str(CASES), Options(synthesize, no_models, rounds))
        for failure in failures_of(case, pipeline)
    )
    return heapq.nlargest(SHOWN, every, key=lambda failure: failure.error)


def failures_of(case: Case, pipeline: Pipeline) -> list[Failure]:
    """Every matched body of one case with its picture."""
    assert case.load is not None
    volume, truth = case.load()
    pairs = compare(case, truth, reading_of(pipeline.analyze(volume))).pairs
    return [
        Failure(abs(p.found.ratio - p.truth.ratio), _title(case, p), _tile(volume, p))
        for p in pairs
    ]


def _title(case: Case, pair: Pair) -> str:
    withheld = ", withheld" if pair.found.withheld else ""
    ratios = f"true {pair.truth.ratio:.2f} found {pair.found.ratio:.2f}{withheld}"
    return f"{case.name} {pair.truth.level} {pair.truth.group}: {ratios}"


def _tile(volume: CTVolume, pair: Pair) -> Image.Image:
    """The body's sagittal slab as the second look reads it, plain and with both measurements."""
    true_mm, found_mm = pair.truth.keypoints_mm, pair.found.keypoints_mm
    assert true_mm is not None
    assert found_mm is not None
    plane = BodyPlanes.through(true_mm[None], body_rotation(true_mm)[None, :, 1])
    line = np.arange(-SIDE_MM / 2, SIDE_MM / 2, STEP_MM)
    grid = np.stack(np.meshgrid(line, line), -1)
    hu = slab_in_planes(volume, plane, grid[None])[0]
    low, high = WINDOW_HU
    grey = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    plain = Image.fromarray(grey).convert("RGB")
    drawn = plain.copy()
    for points, colour in ((true_mm, TRUE_COLOUR), (found_mm, FOUND_COLOUR)):
        pixels = plane.to_plane(points[None])[0] / STEP_MM + len(line) / 2
        _draw_heights(drawn, pixels, colour)
    tile = Image.new("RGB", (2 * len(line), len(line)))
    tile.paste(plain, (0, 0))
    tile.paste(drawn, (len(line), 0))
    return tile


def _draw_heights(image: Image.Image, pixels: FloatArray, colour: tuple[int, int, int]) -> None:
    draw = ImageDraw.Draw(image)
    for segment in pixels:
        draw.line([tuple(point) for point in segment], fill=colour)


def sheet(failures: list[Failure]) -> Image.Image:
    """Two tiles a row, each with its title."""
    width, height = failures[0].tile.size
    picture = Image.new("RGB", (2 * width, height * ((len(failures) + 1) // 2)))
    for index, failure in enumerate(failures):
        corner = (width * (index % 2), height * (index // 2))
        picture.paste(failure.tile, corner)
        text = (corner[0] + 4, corner[1] + 4)
        ImageDraw.Draw(picture).text(text, failure.title, fill=TEXT_COLOUR)
    return picture


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    failures = worst(load_pipeline(models_dir()), options.rounds)
    sheet(failures).save(options.out, optimize=True)
    for failure in failures:
        print(failure.title)


if __name__ == "__main__":
    main()
