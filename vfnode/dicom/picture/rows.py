"""The words of the picture: header, one row a vertebra, level names, footer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vfnode.dicom.conclusion_text import summary
from vfnode.dicom.picture.canvas import Canvas, Point, colour
from vfnode.dicom.picture.layout import Geometry, PictureFacts, layout, spread
from vfnode.dicom.picture.signs import draw_mark, draw_scale, write_directions, write_legend
from vfnode.dicom.wording import (
    grade_text,
    level_label,
    loss_text,
    reason_text,
    words,
)
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import Measure
from vfnode.spine.reason import Reason
from vfnode.spine.report import FractureReport
from vfnode.spine.vertebra import COLUMNS
from vfnode.spine.volume import FloatArray

#: Leaders end this far from the measured line, pixels.
UNSEEN = "–"  #: in place of a height whose ends are not both on images
BESIDE = np.array([4.0, 0.0])
EXPECTED_SIGN = "*"  #: behind a loss against the expected heights


def write_all(page: Canvas, report: FractureReport, place: Geometry, facts: PictureFacts) -> None:
    """Write everything that is text or belongs to a text."""
    _write_header(page, summary(report, facts.language), facts)
    if report.vertebrae:
        _write_column_heads(page, place, facts.language)
        bodies = [finding.keypoints_sagittal_mm for finding in report.vertebrae]
        _write_rows(page, report, place, bodies, facts)
        write_legend(page, place, report, facts.language)
    if report.spine is not None:
        draw_scale(page, place, facts.language)
        write_directions(page, place)
    elif report.reason is not None:
        _write_reason(page, report.reason, place, facts.language)
    _write_footer(page, place, _made_with(report, facts.language), facts)


def write_frame(page: Canvas, place: Geometry, facts: PictureFacts, kind: str) -> None:
    """Write all that surrounds the image of a page: header, scale, directions, footer."""
    wording = words(facts.language)
    _write_header(page, wording[f"{kind}_subtitle"], facts)
    draw_scale(page, place, facts.language)
    write_directions(page, place)
    _write_footer(page, place, [wording[f"{kind}_explanation"]], facts)


def write_severities(
    page: Canvas,
    report: FractureReport,
    place: Geometry,
    bodies: Sequence[FloatArray],
    facts: PictureFacts,
) -> None:
    """Severities at the left and level names at the right of bodies (3, 2, 2) on the image, mm."""
    columns, heads = layout()["columns_px"], words(facts.language)["heads"]
    y, muted = place.top_px - 14.0, colour("muted")
    page.text((columns["mark"] - 12, y), heads["grade"], muted, "regular head", "ls")
    page.text((columns["ratio"], y), heads["ratio"], muted, "regular head", "rs")
    page.text((_level_x(place), y), heads["level"], muted, "regular head", "ls")
    for row in _rows(report, place, bodies):
        _write_severity(page, row.finding, row.y, facts.language)
        _write_level(page, row, place, facts)
        start = (columns["ratio"] + 8.0, row.y)
        _draw_leader(page, start, row.body[0].mean(0) - BESIDE, place.left_px)
    if report.vertebrae:
        write_legend(page, place, report, facts.language)


def _write_header(page: Canvas, subtitle: str, facts: PictureFacts) -> None:
    wording = words(facts.language)
    margin = layout()["bands_px"]["margin"]
    page.text((margin, 32), wording["title"], colour("text"), "bold title")
    warning, right = wording["warning"], page.width - margin
    left = right - page.text_width(warning, "bold head") - 24
    page.frame(((left, 17), (right, 47)), colour("warning"))
    page.text(((left + right) / 2, 32), warning, colour("warning"), "bold head", "mm")
    shown = page.fitting(subtitle, "medium summary", right - margin)
    page.text((margin, 70), shown, colour("text"), "medium summary")
    page.line([(margin, 92), (right, 92)], colour("line"))


def _write_reason(page: Canvas, reason: Reason, place: Geometry, language: str) -> None:
    x = page.width / 2
    y = place.top_px + place.height_px / 2
    page.frame(((x - 340, y - 56), (x + 340, y + 56)), colour("line"))
    page.text((x, y - 20), words(language)["not_evaluable"], colour("warning"), "bold title", "mm")
    page.text((x, y + 22), reason_text(reason, language), colour("text"), "regular row", "mm")


def _write_column_heads(page: Canvas, place: Geometry, language: str) -> None:
    heads, columns, muted = words(language)["heads"], layout()["columns_px"], colour("muted")
    y = place.top_px - 14.0
    page.text((columns["mark"] - 12, y), heads["grade"], muted, "regular head", "ls")
    for name in ("ratio", *COLUMNS):
        page.text((columns[name], y), heads[name], muted, "regular head", "rs")
    middle = (columns["anterior"] + columns["posterior"]) / 2 - 15
    page.text((middle, y - 18), heads["heights"], muted, "regular small", "ms")
    page.text((_level_x(place), y), heads["level"], muted, "regular head", "ls")


@dataclass(frozen=True)
class _Row:
    """The line of text that belongs to one body."""

    index: int
    label: str  #: its level, as people read it
    finding: VertebraFinding
    body: FloatArray  #: (3, 2, 2) in the picture's pixels
    y: float


def _rows(report: FractureReport, place: Geometry, bodies: Sequence[FloatArray]) -> Iterator[_Row]:
    """Rows beside their bodies, moved apart where bodies are low."""
    gap = layout()["row_px"]
    pixels = [place.to_pixels(body) for body in bodies]
    centres = np.array([body[..., 1].mean() for body in pixels])
    top, bottom = place.top_px + gap / 2, place.top_px + place.height_px - gap / 2
    for index, y in enumerate(spread(centres, gap, top, bottom)):
        label = level_label(report, index)
        yield _Row(index, label, report.vertebrae[index], pixels[index], float(y))


def _write_rows(
    page: Canvas,
    report: FractureReport,
    place: Geometry,
    bodies: Sequence[FloatArray],
    facts: PictureFacts,
) -> None:
    """Everything measured, one row a body; leaders show whose it is."""
    columns = layout()["columns_px"]
    for row in _rows(report, place, bodies):
        _write_severity(page, row.finding, row.y, facts.language)
        ink = colour("text" if row.finding.is_graded else "not_graded")
        seen = row.finding.columns_seen
        for name, height, is_seen in zip(COLUMNS, row.finding.heights_mm, seen, strict=True):
            text = f"{height:.1f}" if is_seen else UNSEEN
            page.text((columns[name], row.y), text, ink, "regular row", "rm")
        start = (columns["posterior"] + 8.0, row.y)
        _draw_leader(page, start, row.body[0].mean(0) - BESIDE, place.left_px)
        _write_level(page, row, place, facts)


def _write_level(page: Canvas, row: _Row, place: Geometry, facts: PictureFacts) -> None:
    """Name at the right; where a person should look, the slice of the CT."""
    x = _level_x(place)
    right = place.left_px + place.width_px
    _draw_leader(page, (x - 6, row.y), row.body[2].mean(0) + BESIDE, right)
    page.text((x, row.y), row.label, colour("text"), "bold level")
    if facts.slices and _wants_a_look(row.finding):
        at = (x + layout()["columns_px"]["slice"], row.y)
        page.text(at, facts.slices[row.index], colour("text"), "regular small")


def _wants_a_look(finding: VertebraFinding) -> bool:
    """True if a person should see the body in the CT: abnormal, or whole and yet not graded."""
    if finding.is_graded:
        return finding.is_deformed or finding.is_borderline
    return finding.withheld not in (Reason.CUT_VERTEBRA, Reason.OUTSIDE_GRADED_LEVELS)


def _write_severity(page: Canvas, finding: VertebraFinding, y: float, language: str) -> None:
    """Mark, grade, deformity and loss of one body; why not where it was not graded."""
    columns = layout()["columns_px"]
    ink = colour("text" if finding.is_graded else "not_graded")
    if finding.grade is not None:
        draw_mark(page, (columns["mark"], y), finding.grade.value)
        sign = EXPECTED_SIGN if finding.measure is Measure.EXPECTED else ""
        page.text((columns["ratio"], y), loss_text(finding) + sign, ink, "bold row", "rm")
    strong = finding.is_deformed or finding.is_borderline
    font = "bold row" if strong else "regular row"
    page.text((columns["grade"], y), grade_text(finding, language), ink, font)


def _draw_leader(page: Canvas, row: Point, body: FloatArray, edge: float) -> None:
    """From a row to its body: slanting in the margin, level and fainter on the image."""
    x, y = float(body[0]), float(body[1])
    page.line([row, (edge, y)], colour("leader", 150))
    page.line([(edge, y), (x, y)], colour("leader", 100))


def _made_with(report: FractureReport, language: str) -> list[str]:
    """Lines on how to read the page, and on the weights behind it."""
    models = ", ".join(f"{model.name} ({model.sha256[:8]})" for model in report.models)
    named = [words(language)["models"].format(models=models)] if models else []
    return [*([words(language)["explanation"]] if report.vertebrae else []), *named]


def _write_footer(
    page: Canvas, place: Geometry, explanations: Sequence[str], facts: PictureFacts
) -> None:
    wording = words(facts.language)
    made = wording["created"].format(created=facts.created.strftime("%Y-%m-%d %H:%M"))
    product = f"{wording['product'].format(product=facts.product, version=facts.version)} · {made}"
    x, y = float(layout()["bands_px"]["margin"]), place.top_px + place.height_px + 64.0
    if facts.replaces:
        before = wording["replaces"].format(created=facts.replaces.strftime("%Y-%m-%d %H:%M"))
        width = page.text_width(product, "regular small")
        page.text((x + width + 12, y), before, colour("warning"), "medium small")
    page.text((x, y), product, colour("muted"), "regular small")
    notes = [reason_text(reason, facts.language) for reason in facts.notes]
    lines = [(" · ".join(notes), "warning")] if notes else []
    lines += [(line, "muted") for line in explanations]
    for index, (line, ink) in enumerate(lines, start=1):
        page.text((x, y + 20 * index), line, colour(ink), "regular small")


def _level_x(place: Geometry) -> float:
    return place.left_px + place.width_px + 30.0
