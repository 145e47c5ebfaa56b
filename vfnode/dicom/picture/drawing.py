"""The pictures: CT in a bone window, straightened or as it stands, with the measured bodies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from vfnode.dicom.picture import rows as picture_text
from vfnode.dicom.picture.canvas import Canvas, Colour, Point, colour
from vfnode.dicom.picture.layout import (
    Geometry,
    PictureFacts,
    layout,
    place_image,
    place_projection,
)
from vfnode.dicom.picture.projection import SagittalProjection
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.resample import FloatImage, window
from vfnode.spine.straighten import SagittalImage
from vfnode.spine.volume import FloatArray


@dataclass(frozen=True)
class Picture:
    """A picture whose pixels have a known size."""

    rgb: npt.NDArray[np.uint8]  #: (rows, columns, 3)
    geometry: Geometry

    @property
    def pixel_mm(self) -> float:
        """Size of a pixel of the CT part, mm, the same both ways."""
        return self.geometry.pixel_mm

    def image(self) -> Image.Image:
        """The picture for saving as PNG."""
        return Image.fromarray(self.rgb)


def draw_picture(analysis: Analysis, facts: PictureFacts) -> Picture:
    """Draw a report on its straightened image; one page with the reason where there is none.

    No patient identity is drawn: SC is copied and shown without its header.
    """
    place = place_image(analysis.sagittal)
    page = _blank_page(place)
    if analysis.sagittal is not None:
        page.paste(_annotated_ct(analysis, analysis.sagittal, place), (place.left_px, place.top_px))
    picture_text.write_all(page, analysis.report, place, facts)
    return Picture(np.asarray(page.finished(), np.uint8), place)


def draw_plain(sagittal: SagittalImage, facts: PictureFacts) -> Picture:
    """The page of :func:`draw_picture` with nothing on the image and nothing measured beside it."""
    place = place_image(sagittal)
    page = _blank_page(place)
    page.paste(_ct_part(sagittal.hu, sagittal.step_mm, place), (place.left_px, place.top_px))
    picture_text.write_frame(page, place, facts, "plain")
    return Picture(np.asarray(page.finished(), np.uint8), place)


def draw_projection(
    report: FractureReport, image: SagittalProjection, facts: PictureFacts
) -> Picture:
    """The spine as it stands: level names at the right, severities at the left."""
    place = place_projection(image.hu, image.step_mm)
    page = _blank_page(place)
    part = _ct_part(image.hu, image.step_mm, place)
    corner = np.array([place.left_px, place.top_px], float)
    bodies = [image.to_image(finding.keypoints_patient_mm) for finding in report.vertebrae]
    for finding, points in zip(report.vertebrae, bodies, strict=True):
        # No segments here: an abnormal body stands out by its outline.
        line = "width" if finding.is_deformed else "outline"
        _draw_outline(part, place.to_pixels(points) - corner, finding, place.pixel_mm, line)
    page.paste(part, (place.left_px, place.top_px))
    picture_text.write_frame(page, place, facts, "projection")
    picture_text.write_severities(page, report, place, bodies, facts)
    return Picture(np.asarray(page.finished(), np.uint8), place)


def _blank_page(place: Geometry) -> Canvas:
    """Even size: some encoders and viewers stumble over odd ones."""
    chosen = layout()
    width = place.left_px + place.width_px + chosen["columns_px"]["level_width"]
    height = place.top_px + place.height_px + chosen["bands_px"]["footer"]
    return Canvas(width + width % 2, height + height % 2)


def _annotated_ct(analysis: Analysis, sagittal: SagittalImage, place: Geometry) -> Canvas:
    """The CT part alone; what sticks out of it is cut off by its edge."""
    canvas = _ct_part(sagittal.hu, sagittal.step_mm, place)
    corner = np.array([place.left_px, place.top_px], float)
    for finding in analysis.report.vertebrae:
        points = place.to_pixels(finding.keypoints_sagittal_mm) - corner
        _draw_body(canvas, points, finding, place.pixel_mm)
    return canvas


def _ct_part(hu: FloatImage, step: float, place: Geometry) -> Canvas:
    """An image (N, W) with pixels of ``step`` mm in the bone window, as large as its place."""
    canvas = Canvas(place.width_px, place.height_px)
    limits = layout()["window_hu"]
    grey = np.rint(window(hu, limits["low"], limits["high"]) * 255).astype(np.uint8)
    # Enlarged by a box of corners, not of pixel centres: a viewer's ruler measures true.
    left = (place.first_mm + place.half_step_mm) / step
    right = left + place.width_px * place.pixel_mm / step
    box = (left, 0.0, right, place.height_px * place.pixel_mm / step)
    canvas.paste_grey(Image.fromarray(grey), box)
    return canvas


def _draw_body(
    canvas: Canvas, points: FloatArray, finding: VertebraFinding, pixel_mm: float
) -> None:
    """Hexagon and segments of one body, as far as they lie on images.

    ``points`` (3, 2, 2) are in the canvas's pixels.
    """
    measures = layout()["segment_mm"]
    ink = grade_colour(finding)
    _draw_outline(canvas, points, finding, pixel_mm)
    abnormal = finding.is_deformed
    width = measures["width_abnormal" if abnormal else "width"] / pixel_mm
    for superior, inferior in points[finding.columns_seen]:
        canvas.line([_point(superior), _point(inferior)], ink, width)
        along = inferior - superior
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        tick = across * measures["tick"] / pixel_mm / 2
        for end in (superior, inferior):
            canvas.line([_point(end - tick), _point(end + tick)], ink, width)


def _draw_outline(
    canvas: Canvas,
    points: FloatArray,
    finding: VertebraFinding,
    pixel_mm: float,
    line: str = "outline",
) -> None:
    """Hexagon of one body, between keypoints that lie on images.

    ``points`` (3, 2, 2) are in the canvas's pixels; ``line`` is one of segment_mm.
    """
    red, green, blue, _ = grade_colour(finding)
    hexagon = [*points[:, 0], *points[::-1, 1], points[0, 0]]
    seen = [*finding.seen[:, 0], *finding.seen[::-1, 1], finding.seen[0, 0]]
    width = layout()["segment_mm"][line] / pixel_mm
    ink = (red, green, blue, 140 if line == "outline" else 255)
    for (start, from_seen), (end, to_seen) in pairwise(zip(hexagon, seen, strict=True)):
        if from_seen and to_seen:
            canvas.line([_point(start), _point(end)], ink, width)


def grade_colour(finding: VertebraFinding) -> Colour:
    """Colour of a body's grade; grey where it was not graded."""
    if finding.grade is None:
        return colour("not_graded")
    return colour(layout()["grades"][finding.grade.value]["colour"])


def _point(pair: FloatArray) -> Point:
    return (float(pair[0]), float(pair[1]))
