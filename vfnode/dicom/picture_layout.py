"""The picture's measures, colours, fonts and texts, read from dicom_templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from vfnode.dicom.templates import load_template, texts
from vfnode.spine.genant import GenantGrade, GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport, VertebraFinding
from vfnode.spine.resample import FloatImage
from vfnode.spine.straighten import SagittalImage
from vfnode.spine.vertebra import VertebralLevel
from vfnode.spine.volume import FloatArray

UNKNOWN = VertebralLevel("unknown")
UNCERTAIN_SIGN = "?"  #: behind a level that may be shifted by one


@dataclass(frozen=True)
class PictureFacts:
    """What the picture says beside the measurements."""

    product: str
    version: str
    created: datetime
    language: str = "en"
    slices: tuple[str, ...] = ()  #: where each body lies in the CT; empty where nobody knows
    replaces: datetime | None = None  #: date of the earlier result that this one replaces
    notes: tuple[Reason, ...] = ()  #: what limits the whole result, not one body alone


@dataclass(frozen=True)
class Geometry:
    """Where the straightened image lies in the picture."""

    pixel_mm: float
    left_px: int  #: picture column of the image's left edge
    top_px: int
    width_px: int
    height_px: int
    first_mm: float  #: x of the image's left edge in sagittal coordinates
    half_step_mm: float

    def to_pixels(self, xz_mm: FloatArray) -> FloatArray:
        """Sagittal points (..., 2) in mm -> picture (column, row), from the corner of pixel 0."""
        corner = np.array([self.left_px, self.top_px], float)
        origin = np.array([self.first_mm, -self.half_step_mm])
        pixels: FloatArray = corner + (np.asarray(xz_mm, float) - origin) / self.pixel_mm
        return pixels


def layout() -> dict[str, Any]:
    """Measures and colours: dicom_templates/picture.json."""
    return load_template("picture.json")


def words(language: str) -> dict[str, Any]:
    """Texts in a language: dicom_templates/picture_texts.json."""
    return texts("picture_texts.json", language)


def place_image(sagittal: SagittalImage | None) -> Geometry:
    """Pixel size and place of the straightened image; an empty page without one."""
    chosen = layout()
    if sagittal is None:
        pixel_mm = chosen["pixel_mm"][0]
        width = round(chosen["view_width_mm"] / pixel_mm)
        return Geometry(pixel_mm, chosen["columns_px"]["image"], _top_px(), width, width, 0.0, 0.0)
    rows, columns = sagittal.hu.shape
    shown_mm = min(chosen["view_width_mm"], columns * sagittal.step_mm)
    size_mm = (rows * sagittal.step_mm, shown_mm)
    first_mm = sagittal.curve_x_mm - shown_mm / 2
    return _place(size_mm, first_mm, sagittal.step_mm / 2, chosen["columns_px"]["image"])


def place_projection(hu: FloatImage, step_mm: float) -> Geometry:
    """Pixel size and place of an image (N, W) that is shown whole, column 0 at 0 mm."""
    left = layout()["projection"]["columns_px"]["image"]
    size_mm = (hu.shape[0] * step_mm, hu.shape[1] * step_mm)
    return _place(size_mm, -step_mm / 2, step_mm / 2, left)


def _place(
    size_mm: tuple[float, float], first_mm: float, half_step_mm: float, left_px: int
) -> Geometry:
    """The finest pixels with which an image (height, width) fits the page."""
    chosen = layout()
    room = chosen["max_height_px"] - _top_px() - chosen["bands_px"]["footer"]
    fitting = (size for size in chosen["pixel_mm"] if size_mm[0] / size <= room)
    pixel_mm = next(fitting, chosen["pixel_mm"][-1])
    return Geometry(
        pixel_mm=pixel_mm,
        left_px=left_px,
        top_px=_top_px(),
        width_px=int(size_mm[1] / pixel_mm),
        height_px=int(size_mm[0] / pixel_mm),
        first_mm=first_mm,
        half_step_mm=half_step_mm,
    )


def _top_px() -> int:
    bands = layout()["bands_px"]
    return int(bands["header"] + bands["column_heads"])


def spread(centres: FloatArray, gap: float, low: float, high: float) -> FloatArray:
    """Rows (N,) nearest to ``centres``, in the same order, at least ``gap`` apart.

    The least-squares answer: neighbours that would touch are moved as one block.
    """
    blocks: list[tuple[float, int]] = []
    for index, centre in enumerate(np.asarray(centres, float)):
        total, size = float(centre) - index * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            before, count = blocks.pop()
            total, size = total + before, size + count
        blocks.append((total, size))
    count = len(centres)
    means = np.repeat([total / size for total, size in blocks], [size for _, size in blocks])
    rows: FloatArray = np.clip(means, low, max(low, high - (count - 1) * gap))
    return rows + np.arange(count) * gap


def level_name(finding: VertebraFinding, index: int) -> str:
    """Level of one body, or ``#n`` where it is unknown; ``index`` counts from 0."""
    if finding.level is UNKNOWN:
        return f"#{index + 1}"
    return str(finding.level.value)


def level_label(report: FractureReport, index: int) -> str:
    """:func:`level_name` as people read it: with a question mark where it may be another one."""
    name = level_name(report.vertebrae[index], index)
    doubtful = level_certainty(report, index) == "uncertain"
    return f"{name}{UNCERTAIN_SIGN}" if doubtful else name


def level_certainty(report: FractureReport, index: int) -> str:
    """``certain``, ``uncertain`` (all names may be shifted by one) or ``unknown``."""
    if report.vertebrae[index].level is UNKNOWN:
        return "unknown"
    return "uncertain" if Reason.LEVEL_UNCERTAIN in report.quality else "certain"


def ratio_text(ratio: float, limits: GenantLimits) -> str:
    """G with two decimals, three where two would read as another grade (0.804 as 0.80)."""
    grade = GenantGrade.from_height_ratio(ratio, limits)
    short = f"{ratio:.2f}"
    if GenantGrade.from_height_ratio(float(short), limits) is grade:
        return short
    return f"{ratio:.3f}"


def reason_text(reason: Reason, language: str) -> str:
    """Meaning of a reason in a language."""
    return str(words(language)["reasons"][reason.code])


def not_graded_text(finding: VertebraFinding, language: str) -> str:
    """Why a body was not graded, in two or three words for its row."""
    phrases = words(language)["not_graded"]
    code = finding.withheld.code if finding.withheld else "other"
    return str(phrases.get(code, phrases["other"]))


def notes_of(report: FractureReport) -> tuple[Reason, ...]:
    """What limits the whole result; what is said of single bodies stands in their rows."""
    of_bodies = {finding.withheld for finding in report.vertebrae}
    return tuple(
        reason
        for reason in report.quality
        if reason not in of_bodies and reason is not Reason.NONE_GRADED
    )


def summary(report: FractureReport, language: str) -> str:
    """One sentence: how many graded bodies reach the moderate limit, and the smallest G."""
    wording = words(language)
    if report.reason is not None:
        return f"{wording['not_evaluable']}: {reason_text(report.reason, language)}"
    graded = report.evaluated
    if not graded:
        return str(wording["summary_undetermined"])
    lowest = min(graded, key=lambda finding: finding.height_ratio)
    limit = report.limits.moderate
    count = sum(finding.height_ratio <= limit for finding in graded)
    sentence: str = wording["summary_some" if count else "summary_none"]
    index = next(i for i, finding in enumerate(report.vertebrae) if finding is lowest)
    return sentence.format(
        count=count,
        graded=len(graded),
        limit=limit,
        ratio=ratio_text(lowest.height_ratio, report.limits),
        level=level_label(report, index),
        grade=wording["grades"][lowest.grade.value],
    )
