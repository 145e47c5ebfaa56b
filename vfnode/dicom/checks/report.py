"""Rules for reports: what TID 1500 asks and no validator looks at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import ResultSet, children, code_of, number
from vfnode.dicom.vocabulary import concept, level_concept, reason_concept, unit_of
from vfnode.spine.reason import Reason
from vfnode.spine.vertebra import VertebralLevel

HEIGHT, MODIFIER, SITE = "121207", "106233006", "363698007"
TRACKING = {"112039": "Tracking Identifier", "112040": "Tracking Unique Identifier"}
ALGORITHM = {"111001": "Algorithm Name", "111003": "Algorithm Version"}
ROOT = {
    "121049": "Language of Content Item and Descendants",
    "121012": "Device Observer UID",
    "121058": "Procedure reported",
}
COLUMNS = ("anterior", "middle", "posterior")
#: A height and its two points are rounded apart, to 1 um and to single precision.
LENGTH_MM = 0.005
RATIO = 2e-4
#: Drawn points are rounded to a tenth of a pixel of the picture.
DRAWN_MM = 0.3


def template(results: ResultSet) -> Findings:
    """The root is an Imaging Measurement Report of TID 1500 with its required context."""
    for checked in results.reports:
        identified = checked.dataset.get("ContentTemplateSequence") or [Dataset()]
        if identified[0].get("TemplateIdentifier") != "1500":
            yield checked.name, "ContentTemplateSequence does not name TID 1500"
        if code_of(checked.dataset, "ConceptNameCodeSequence") != "126000":
            yield checked.name, "the title is not Imaging Measurement Report"
        for code, name in ROOT.items():
            if not children(checked.dataset, code):
                yield checked.name, f"{name} is missing"


def tracking(results: ResultSet) -> Findings:
    """Each group can be found again: it has an identifier and a UID of its own."""
    for checked in results.reports:
        for code, name in TRACKING.items():
            found = [children(group, code) for group in checked.groups]
            if not all(found):
                yield checked.name, f"a group has no {name}"
            values = [items[0].get("UID") or items[0].get("TextValue") for items in found if items]
            if len(set(values)) < len(values):
                yield checked.name, f"two groups share a {name}"


def algorithm(results: ResultSet) -> Findings:
    """Each group names the algorithm and its version; the first one its parameters."""
    for checked in results.reports:
        for code, name in ALGORITHM.items():
            if not all(children(group, code) for group in checked.groups):
                yield checked.name, f"a group has no {name}"
        if not checked.groups or not children(checked.groups[0], "111002"):
            yield checked.name, "Algorithm Parameters are missing"


def units(results: ResultSet) -> Findings:
    """Each measurement has the unit, in UCUM, that the code table gives it."""
    for checked in results.reports:
        for item in checked.content:
            if item.dataset.get("ValueType") != "NUM":
                continue
            values = item.dataset.get("MeasuredValueSequence") or [Dataset()]
            given = (values[0].get("MeasurementUnitsCodeSequence") or [Dataset()])[0]
            unit = unit_of().get(item.concept)
            said = (given.get("CodingSchemeDesignator"), given.get("CodeValue"))
            if unit is None or said != (unit.scheme_designator, unit.value):
                yield checked.name, f"measurement {item.concept} has the unit {said[1]}"


def frames_of_reference(results: ResultSet) -> Findings:
    """Coordinates in the patient lie in the frame of reference of the CT."""
    for checked in results.reports:
        found = {
            str(item.dataset.get("ReferencedFrameOfReferenceUID", ""))
            for item in checked.content
            if item.dataset.get("ValueType") == "SCOORD3D"
        }
        if len(found) > 1:
            yield checked.name, "coordinates lie in several frames of reference"
        known = results.ct.frame_of_reference_uids if results.ct else frozenset()
        if known and not found <= known:
            yield checked.name, "coordinates lie in a frame of reference that the CT has not"


def heights(results: ResultSet) -> Findings:
    """A vertebra has its heights at its own site, each as long as its line.

    All three of a graded one; of another those that lie on images.
    """
    for checked in results.reports:
        for group in checked.groups[1:]:
            yield from ((checked.name, text) for text in _height_findings(group, _spacing(results)))


def _height_findings(group: Dataset, pixel_mm: dict[str, float]) -> Iterator[str]:
    measured = children(group, HEIGHT)
    sites = [children(item, SITE) for item in measured]
    modifiers = [
        code_of(child, "ConceptCodeSequence")
        for found in sites
        for child in (children(found[0], MODIFIER) if found else [])
    ]
    wanted = [concept(column).value for column in COLUMNS]
    is_graded = not children(group, concept("not_graded").value)
    if modifiers != [column for column in wanted if is_graded or column in modifiers]:
        yield "a vertebra has not the heights anterior, middle, posterior, in this order"
    own = [code_of(item, "ConceptCodeSequence") for item in children(group, SITE)]
    if any(code_of(item, "ConceptCodeSequence") not in own for found in sites for item in found):
        yield "a height has another site than its vertebra"
    for item in measured:
        length, tolerance = _drawn_length(item, pixel_mm)
        if not abs(length - number(item)) <= tolerance:
            yield f"a height of {number(item)} mm lies along a line of {length:.3f} mm"


def _drawn_length(height: Dataset, pixel_mm: dict[str, float]) -> tuple[float, float]:
    """Length of a height's line and how exactly it is known, mm; NaN without a line."""
    for child in height.get("ContentSequence") or []:
        points = np.array(child.get("GraphicData") or [], float)
        if child.get("ValueType") == "SCOORD3D" and points.size == 6:  # noqa: PLR2004 - two points
            return float(np.linalg.norm(points[:3] - points[3:])), LENGTH_MM
        if child.get("ValueType") == "SCOORD" and points.size == 4:  # noqa: PLR2004 - two points
            image = child.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            spacing = pixel_mm.get(str(image), float("nan"))
            return float(np.linalg.norm(points[:2] - points[2:])) * spacing, DRAWN_MM
    return float("nan"), 0.0


def _spacing(results: ResultSet) -> dict[str, float]:
    """Size of a pixel of each picture, mm."""
    return {
        str(checked.dataset.SOPInstanceUID): float(checked.dataset.PixelSpacing[0])
        for checked in results.pictures
        if "PixelSpacing" in checked.dataset
    }


def ratios(results: ResultSet) -> Findings:
    """G and the posterior loss follow from the three heights beside them."""
    for checked in results.reports:
        for group in checked.groups[1:]:
            measured = [number(item) for item in children(group, HEIGHT)]
            if len(measured) != len(COLUMNS) or min(measured) <= 0:
                continue  # the rule on heights tells
            expected = {
                "height_ratio": min(measured) / max(measured),
                "height_loss_posterior": 1 - min(measured[:2]) / measured[2],
            }
            for name, value in expected.items():
                for item in children(group, concept(name).value):
                    if not abs(number(item) - value) <= RATIO:
                        yield checked.name, f"{concept(name).meaning}: {number(item)} is wrong"


def grades(results: ResultSet) -> Findings:
    """The standard severity says what the Genant grade says; an ungraded body says why."""
    pairs = {
        (concept(f"genant_{grade}").value, concept(f"severity_{grade}").value)
        for grade in ("normal", "mild", "moderate", "severe")
    }
    for checked in results.reports:
        for group in checked.groups[1:]:
            said = tuple(_answer(group, name) for name in ("genant_grade", "severity"))
            if said == ("", ""):
                if not _answer(group, "not_graded"):
                    yield checked.name, "a vertebra has neither a grade nor a reason"
            elif said not in pairs:
                yield checked.name, f"Genant grade {said[0]} and severity {said[1]} disagree"


def levels(results: ResultSet) -> Findings:
    """Certainty of the levels follows from the study's limitations and from the site's code."""
    doubtful = reason_concept(Reason.LEVEL_UNCERTAIN).value
    unnamed = level_concept(VertebralLevel("unknown")).value
    for checked in results.reports:
        said = [
            code_of(item, "ConceptCodeSequence")
            for group in checked.groups[:1]
            for item in children(group, concept("quality").value)
        ]
        named = concept("level_uncertain" if doubtful in said else "level_certain").value
        for group in checked.groups[1:]:
            answer = _answer(group, "level_certainty")
            site = code_of(children(group, SITE)[0], "ConceptCodeSequence")
            allowed = {named, concept("level_unknown").value} if site == unnamed else {named}
            if answer not in allowed:
                yield checked.name, f"certainty of a level is {answer or 'missing'}"


def conclusion(results: ResultSet) -> Findings:
    """The study's answer follows from its vertebrae; without any it has a coded reason."""
    for checked in results.reports:
        if not checked.groups:
            yield checked.name, "there is no conclusion"
            continue
        own, *bodies = checked.groups
        graded = [body for body in bodies if _answer(body, "genant_grade")]
        answers = [_answer(body, "compression_fracture") for body in graded]
        if _answer(own, "compression_fracture") not in _allowed_answers(answers):
            yield checked.name, "the conclusion does not follow from the vertebrae"
        counted = [number(item) for item in children(own, concept("vertebrae_graded").value)]
        if counted != [len(graded)]:
            yield checked.name, "the number of graded vertebrae is wrong"
        if not graded and not _answer(own, "not_graded"):
            yield checked.name, "nothing was graded and no reason is given"
        yield from ((checked.name, text) for text in _smallest_findings(own, graded))


def _allowed_answers(answers: list[str]) -> set[str]:
    """Absent needs every graded body to be; what may hide a fracture makes it undetermined."""
    present, absent, undetermined = (
        str(concept(name).value) for name in ("present", "absent", "undetermined")
    )
    if present in answers:
        return {present}
    return {absent, undetermined} if set(answers) == {absent} else {undetermined}


def _smallest_findings(own: Dataset, graded: list[Dataset]) -> Iterator[str]:
    name = concept("height_ratio").value
    found = [number(item) for group in graded for item in children(group, name)]
    told = [number(item) for item in children(own, concept("min_height_ratio").value)]
    if told != ([min(found)] if found else []):
        yield "the smallest height ratio is not that of a vertebra"


def _answer(group: Dataset, name: str) -> str:
    found = children(group, concept(name).value)
    return code_of(found[0], "ConceptCodeSequence") if found else ""
