"""The picture's measures, colours, fonts and texts, read from dicom_templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from vfnode.dicom.templates import load_template
from vfnode.spine.reason import Reason
from vfnode.spine.resample import FloatImage
from vfnode.spine.straighten import SagittalImage
from vfnode.spine.volume import FloatArray


@dataclass(frozen=True)
class PictureFacts:
    """Texts and facts that the picture shows beside the measurements."""

    product: str
    version: str
    created: datetime
    language: str = "en"
    slices: tuple[str, ...] = ()  #: where each body lies in the CT; empty where nobody knows
    replaces: datetime | None = None  #: date of the earlier result that this one replaces
    notes: tuple[Reason, ...] = ()  #: what limits the whole result, not one body alone


@dataclass(frozen=True)
class Geometry:
    """Place of the straightened image in the picture."""

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
