"""Signs of the picture that are no rows of text: marks of grades, legend, scale, directions."""

from __future__ import annotations

import numpy as np

from vfnode.dicom.picture.canvas import Canvas, Point, colour
from vfnode.dicom.picture.layout import Geometry, layout
from vfnode.dicom.wording import words
from vfnode.spine.report import FractureReport

WHITE = colour("#FFFFFF")


def draw_mark(page: Canvas, centre: Point, grade: str) -> None:
    """The grade's shape with its Genant number: colour is never the only sign."""
    style, (x, y) = layout()["grades"][grade], centre
    shapes = {
        "triangle": [(x, y - 12), (x + 12.5, y + 9.5), (x - 12.5, y + 9.5)],
        "diamond": [(x, y - 13), (x + 13, y), (x, y + 13), (x - 13, y)],
        "square": [(x - 10, y - 10), (x + 10, y - 10), (x + 10, y + 10), (x - 10, y + 10)],
    }
    if style["shape"] in shapes:
        page.polygon(shapes[style["shape"]], colour(style["colour"]))
    else:
        page.disc(centre, 10.5, colour(style["colour"]))
    # The middle of a triangle's weight lies below the middle of its box.
    low = 2.5 if style["shape"] == "triangle" else 0.0
    page.text((x, y + low), style["mark"], colour("ink"), "bold mark", "mm")


def draw_scale(page: Canvas, place: Geometry, language: str) -> None:
    """A vertical bar with a tick every 10 mm, low at the left of the image."""
    length_mm = layout()["scale_bar_mm"]
    length = length_mm / place.pixel_mm
    x, low = place.left_px + 16.0, place.top_px + place.height_px - 16.0
    page.line([(x, low), (x, low - length)], WHITE, 1.5)
    for tick in np.linspace(0, length, length_mm // 10 + 1):
        wide = 10 if tick in (0, length) else 6
        page.line([(x - 0.75, low - tick), (x + wide, low - tick)], WHITE, 1.5)
    label = words(language)["scale"].format(length=length_mm)
    page.text_on_image((x + 15, low - length / 2), label, WHITE, "medium small", "lm")


def write_directions(page: Canvas, place: Geometry) -> None:
    """DICOM's letters of direction (PS3.3 C.7.6.1.1.1), beside the spine and not on it."""
    left, top = place.left_px, place.top_px
    right, bottom = left + place.width_px, top + place.height_px
    beside = left + place.width_px * 0.14
    for letter, at in (
        ("A", (left + 14, top + 16)),
        ("P", (right - 14, top + 16)),
        ("H", (beside, top + 16)),
        ("F", (beside, bottom - 16)),
    ):
        page.text_on_image(at, letter, colour("muted"), "medium head", "mm")


def write_legend(page: Canvas, place: Geometry, report: FractureReport, language: str) -> None:
    """Write the meaning of each mark, with the site's limits."""
    y = place.top_px + place.height_px + 28.0
    legend, limits = words(language)["legend"], report.limits
    x = float(layout()["columns_px"]["mark"])
    for grade in layout()["grades"]:
        text = legend[grade].format(
            mild=1 - limits.mild, moderate=1 - limits.moderate, severe=1 - limits.severe
        )
        draw_mark(page, (x, y), grade)
        page.text((x + 20, y), text, colour("text"), "regular row")
        x += page.text_width(text, "regular row") + 64
