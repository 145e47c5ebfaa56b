"""The picture: true to the ruler, readable for everyone, without identity."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from tests.dicom.picture.colours import DEFICIENCIES, lab
from tests.factories import (
    CREATED,
    CUT,
    MILD,
    MODERATE,
    NORMAL,
    SEVERE,
    Body,
    make_analysis,
    make_refusal,
)
from vfnode.dicom.conclusion_text import summary
from vfnode.dicom.picture.canvas import Canvas, colour
from vfnode.dicom.picture.drawing import draw_picture
from vfnode.dicom.picture.layout import PictureFacts, layout, place_image, spread
from vfnode.dicom.templates import load_template, templates_dir
from vfnode.dicom.wording import loss_text, words
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis
from vfnode.spine.straighten import SagittalImage

FACTS = PictureFacts("vfnode", "1.2.3", CREATED)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_grades_are_told_apart_by_everyone(deficiency):
    """A difference of 20 in L*a*b* is seen at a glance, with each of the deficiencies."""
    seen = DEFICIENCIES[deficiency]
    colours = [grade["colour"] for grade in layout()["grades"].values()]

    distances = [
        np.linalg.norm(lab(one, seen) - lab(other, seen))
        for one, other in itertools.combinations(colours, 2)
    ]

    assert min(distances) > 20


def test_each_grade_has_its_own_shape_and_number():
    """Colour is never the only sign."""
    grades = layout()["grades"].values()

    assert len({grade["shape"] for grade in grades}) == 4
    assert [grade["mark"] for grade in grades] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("body", [NORMAL, MODERATE, SEVERE])
def test_a_ruler_on_the_picture_reads_the_heights(body):
    """The drawn ends, found by their colour, times the pixel size give each height."""
    analysis = make_analysis([Body(), body, Body()])

    picture = draw_picture(analysis, FACTS)

    finding = analysis.report.vertebrae[1]
    assert finding.grade is not None
    code = colour(layout()["grades"][finding.grade.value]["colour"])[:3]
    rgb = picture.rgb.astype(int)
    close = np.abs(rgb - np.array(code)).max(-1) < 90
    for column, height in enumerate(finding.heights_mm):
        ends = picture.geometry.to_pixels(finding.keypoints_sagittal_mm[column])
        top, bottom = ends[:, 1]
        band = close[int(top) - 9 : int(bottom) + 10, round(ends[0, 0]) - 1 : round(ends[0, 0]) + 1]
        rows = np.flatnonzero(band.any(1))
        width_mm = layout()["segment_mm"]["width_abnormal"]
        drawn_mm = (rows[-1] - rows[0] + 1) * picture.pixel_mm
        # The ticks stand across the ends and reach half their width beyond them.
        assert drawn_mm == pytest.approx(height + width_mm, abs=2 * picture.pixel_mm)


def test_the_ct_lies_where_the_geometry_says():
    """A bright point of the straightened image appears at its own millimetres."""
    analysis = make_analysis([])
    assert analysis.sagittal is not None
    hu = np.full(analysis.sagittal.hu.shape, -1000, np.float32)
    hu[40, 90] = 3000
    marked = SagittalImage(hu, analysis.sagittal.step_mm)

    picture = draw_picture(Analysis(analysis.report, marked), FACTS)

    place = picture.geometry
    part = picture.rgb[
        place.top_px + 40 : place.top_px + place.height_px - 40,
        place.left_px + 150 : place.left_px + place.width_px - 40,
        0,
    ].astype(float)
    part[part < 40] = 0
    rows, columns = np.indices(part.shape)
    found = np.array([(columns * part).sum(), (rows * part).sum()]) / part.sum() + 0.5
    expected = place.to_pixels(np.array([90.0, 40.0])) - (place.left_px + 150, place.top_px + 40)
    np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("analysis", [make_analysis(), make_analysis([CUT]), make_refusal()])
def test_the_page_has_an_even_size_that_viewers_take(analysis):
    """Even, and at most 2000 pixels each way."""
    rows, columns, channels = draw_picture(analysis, FACTS).rgb.shape

    assert (rows % 2, columns % 2, channels) == (0, 0, 3)
    assert max(rows, columns) <= 2000


def test_a_whole_spine_gets_coarser_pixels():
    """650 mm of spine still fit on one page."""
    sagittal = make_analysis([]).sagittal
    assert sagittal is not None
    long = SagittalImage(np.zeros((650, 160), np.float32), 1.0)

    place = place_image(long)

    assert place.pixel_mm > 0.3
    assert place.top_px + place.height_px + layout()["bands_px"]["footer"] <= 2000


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=24).map(sorted),
    st.floats(5, 40),
)
def test_rows_never_overlap_and_keep_their_order(centres, gap):
    """Bodies flattened to nothing still get a row of their own."""
    rows = spread(np.array(centres), gap, 0.0, 1000.0)

    assert np.all(np.diff(rows) >= gap - 1e-6)


def test_rows_with_room_stay_beside_their_bodies():
    """Nothing is moved without need."""
    np.testing.assert_allclose(spread(np.array([10.0, 60, 110]), 25, 0, 200), [10, 60, 110])


@pytest.mark.parametrize(
    ("anterior_mm", "text"), [(17.0, "15 %"), (16.08, "19.6 %"), (14.806, "25.9 %"), (16.0, "20 %")]
)
def test_a_printed_loss_never_contradicts_its_grade(anterior_mm, text):
    """19.6 % is normal; printed as 20 % it would read as mild."""
    body = Body("T7", (anterior_mm, 20.0, 20.0))

    assert loss_text(make_analysis([body]).report.vertebrae[0]) == text


@pytest.mark.parametrize(
    ("analysis", "sentence"),
    [
        (
            make_analysis(),
            "T9: moderate wedge, 30 % height loss; T10: severe biconcave deformity, 52 % height"
            " loss. Assessed: T7 to T10; bodies: 4",
        ),
        (
            make_analysis([NORMAL, Body("T8")]),
            "No moderate or severe fracture. Assessed: T7, T8; bodies: 2",
        ),
        (
            make_analysis([NORMAL, Body("T8", withheld=Reason.METAL), Body("T9")]),
            "No moderate or severe fracture in the vertebrae assessed. Assessed: T7, T9; bodies: 2",
        ),
        (make_analysis([CUT]), "No vertebra could be graded"),
        (make_refusal(Reason.NO_SPINE), "Not evaluated: No spine was found in the images"),
    ],
)
def test_the_summary_says_what_a_radiologist_would_write(analysis, sentence):
    """Fractures with type and loss, else their absence only as firmly as it was looked for."""
    assert summary(analysis.report, "en") == sentence


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            "T9: moderate wedge, 30 % height loss (borderline T8). Assessed: T7 to T9; bodies: 3",
        ),
        (
            "ru",
            "T9: умеренная клиновидная деформация, снижение высоты на 30 % (погранично: T8)."
            " Оценены: T7–T9; всего тел: 3",
        ),
    ],
)
def test_borderline_bodies_stand_apart(language, sentence):
    """They are no fractures, and no normal bodies."""
    report = make_analysis([NORMAL, MILD, MODERATE]).report
    upper, middle, lower = report.vertebrae
    doubtful = replace(middle, is_borderline=True, probability_moderate=0.3)

    said = summary(replace(report, vertebrae=(upper, doubtful, lower)), language)

    assert said == sentence


def test_a_headline_that_is_too_long_ends_with_an_ellipsis():
    """At a word; the report has the whole sentence."""
    canvas = Canvas(10, 10)
    text = "T9: moderate wedge, 30 % height loss; T10: severe wedge"

    shown = canvas.fitting(text, "medium summary", 200)

    assert shown.endswith(" …")
    assert text.startswith(shown.removesuffix(" …"))
    assert canvas.text_width(shown, "medium summary") <= 200
    assert canvas.fitting(text, "medium summary", 2000) == text


def test_the_page_carries_the_disclaimer():
    """Without the warning's own pixels the page would be another one."""
    analysis = make_analysis()
    page = draw_picture(analysis, FACTS).rgb
    warning = np.array(colour("warning")[:3])

    drawn = (np.abs(page[10:60].astype(int) - warning).max(-1) < 10).sum()

    assert drawn > 300
    assert "NOT FOR DIAGNOSIS" in words("en")["warning"]


def test_every_text_can_be_drawn_with_our_fonts():
    """Latin, Cyrillic and the signs in the texts have glyphs of their own."""
    said = str(load_template("picture_texts.json")) + "ЖжЩщЪъЫыЭэЮюЯяЁё№"
    letters = set(re.sub(r"\s", "", said))
    for name in layout()["fonts"].values():
        face = ImageFont.truetype(str(templates_dir() / name), 30)
        missing = bytes(face.getmask("\uffff"))
        assert {letter for letter in letters if bytes(face.getmask(letter)) == missing} == set()


@pytest.mark.parametrize("language", load_template("picture_texts.json"))
def test_every_row_fits_beside_the_next_column(language):
    """The longest label ends before the ratio begins, in every language."""
    canvas, wording = Canvas(10, 10), words(language)
    columns = layout()["columns_px"]
    room = columns["ratio"] - 42 - columns["grade"]
    labels = [
        f"{wording['grades'][grade]} {kind}".strip()
        for grade in ("mild", "moderate", "severe")
        for kind in wording["deformities"].values()
    ]
    labels.append(wording["grades"]["borderline"])

    assert max(canvas.text_width(label, "bold row") for label in labels) <= room
    reasons = wording["not_graded"].values()
    assert max(canvas.text_width(label, "regular row") for label in reasons) <= room
