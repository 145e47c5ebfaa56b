"""The three pictures of a result: one series, one truth."""

import json

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from tests.dicom.picture.colours import DEFICIENCIES, lab
from tests.factories import (
    CREATED,
    MILD,
    MODELS,
    MODERATE,
    NORMAL,
    PITCH_MM,
    SEVERE,
    make_analysis,
    make_series,
    make_volume,
)
from vfnode.dicom.checks.result_set import children, number
from vfnode.dicom.picture.drawing import draw_projection
from vfnode.dicom.picture.layout import PictureFacts, layout
from vfnode.dicom.picture.projection import project_sagittal
from vfnode.dicom.results.outputs import build_and_write
from vfnode.spine.body_aligned import body_aligned_image
from vfnode.spine.curve import SpineCurve
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.resample import window
from vfnode.spine.vertebra import COLUMNS, VertebralLevel
from vfnode.spine.volume import CTVolume

PICTURES = ("sagittal.sc.dcm", "sagittal-plain.sc.dcm", "projection.sc.dcm")
ANALYSIS = make_analysis([NORMAL, MILD, MODERATE, SEVERE])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Folder of a positive result, its CT beside it."""
    folder = tmp_path_factory.mktemp("result")
    series = make_series(folder / "ct")
    build_and_write(ANALYSIS, series, folder / "out", created=CREATED)
    return folder


def read(result, name):
    """One object of the result."""
    return pydicom.dcmread(result / "out" / name)


def test_the_pictures_are_one_series_in_order(result):
    """Annotated, plain, projection."""
    pictures = [read(result, name) for name in PICTURES]

    assert len({picture.SeriesInstanceUID for picture in pictures}) == 1
    assert [picture.InstanceNumber for picture in pictures] == [1, 2, 3]
    assert len({picture.SOPInstanceUID for picture in pictures}) == 3
    assert len({picture.DerivationDescription for picture in pictures}) == 3


def test_the_plain_picture_has_the_geometry_of_the_annotated_one(result):
    """A viewer that flips between them sees only the drawing come and go."""
    annotated, plain = (read(result, name) for name in PICTURES[:2])

    assert (annotated.Rows, annotated.Columns) == (plain.Rows, plain.Columns)
    assert annotated.PixelSpacing == plain.PixelSpacing
    bottom = annotated.pixel_array.shape[0] - layout()["bands_px"]["footer"] - 40
    left = layout()["columns_px"]["image"]
    same = (annotated.pixel_array == plain.pixel_array)[160:bottom, left + 130 : left + 260]
    assert 0.5 < same.mean() < 0.999


def drawn_ends(result, index: int, column: int) -> NDArray[np.float64]:
    """Rows of the upper and lower end of a drawn segment, from what the drawing changed.

    The line stands upright in these made-up bodies; both ends carry a tick across, whose
    outer edges lie half a line beyond the ends. Edges are found to a part of a pixel.
    """
    annotated, plain = (read(result, name).pixel_array.astype(float) for name in PICTURES[:2])
    finding = ANALYSIS.report.vertebrae[index]
    assert ANALYSIS.sagittal is not None
    left = layout()["columns_px"]["image"]
    spacing = 0.3
    shown_mm = layout()["view_width_mm"]
    x_mm = finding.keypoints_sagittal_mm[column, 0, 0]
    x = left + (x_mm - ANALYSIS.sagittal.curve_x_mm + shown_mm / 2) / spacing
    change = np.abs(annotated - plain).max(-1)[:, round(x) - 4 : round(x) + 4].max(1)
    top = sum(layout()["bands_px"][band] for band in ("header", "column_heads"))
    middle = int(top + finding.keypoints_sagittal_mm[column, :, 1].mean() / spacing)
    strong = change / change[middle - 3 : middle + 3].max()
    first = middle - int(np.argmax(strong[middle::-1] < 0.15)) + 1
    last = middle + int(np.argmax(strong[middle:] < 0.15)) - 1
    covered = np.minimum(strong, 1.0)  # the outermost rows are covered in part
    return np.array([first + 1 - covered[first], last + covered[last]])


@pytest.mark.parametrize("index", range(4))
def test_the_ruler_tells_the_heights_of_the_report(index, result):
    """Drawn segments in the SC's pixels times PixelSpacing, within 0.3 mm."""
    picture, report = read(result, PICTURES[0]), read(result, "report.sr.dcm")
    finding = ANALYSIS.report.vertebrae[index]
    abnormal = finding.is_deformed
    line_mm = layout()["segment_mm"]["width_abnormal" if abnormal else "width"]
    group = children(report, "126010")[0].ContentSequence[index + 1]

    for column, item in enumerate(children(group, "121207")):
        first, last = drawn_ends(result, index, column)
        length_mm = (last - first) * float(picture.PixelSpacing[0]) - line_mm

        assert length_mm == pytest.approx(number(item), abs=0.3)


def tilted_analysis(volume):
    """Bodies that lean forward by 0 to 30 degrees, on the image that shows each in its frame."""
    findings, curve = [], []
    for index, degrees in enumerate((0.0, 10.0, 20.0, 30.0)):
        turn = np.deg2rad(degrees)
        posterior = np.array([0.0, np.cos(turn), -np.sin(turn)])
        caudal = np.array([0.0, -np.sin(turn), -np.cos(turn)])
        centre = np.array([0.0, 2.0 * index, 70.0 - PITCH_MM * 1.2 * index])
        curve.append(centre)
        ends = np.array([-9.0, 9.0 - index])
        columns = np.array([-12.0, 0.0, 12.0])
        findings.append(centre + columns[:, None, None] * posterior + ends[None, :, None] * caudal)
    line = SpineCurve.from_points(np.array(curve), 1.0)
    keypoints = np.array(findings)
    sagittal, drawn = body_aligned_image(volume, line, keypoints)
    bodies = tuple(
        VertebraFinding(
            VertebralLevel(f"T{7 + i}"), 0.9, 0.9, keypoints[i], drawn[i], np.full(3, 0.5)
        )
        for i in range(len(drawn))
    )
    return Analysis(FractureReport(MODELS, line, bodies), sagittal)


def test_points_of_the_report_lie_on_the_same_anatomy_in_the_ct(tmp_path):
    """SCOORD3D -> voxels of the CT as it was sent: the HU there are those of the picture."""
    volume = make_volume((70, 64, 48), (2.0, 1.5, 1.5))
    hu = (400 + 350 * np.sin(np.indices(volume.hu.shape)[:2].sum(0) / 2.2)).astype(np.int16)
    striped = CTVolume(hu, volume.affine.copy())
    series = make_series(tmp_path / "ct", striped)
    build_and_write(tilted_analysis(striped), series, tmp_path / "out", created=CREATED)
    picture = read(tmp_path, "sagittal-plain.sc.dcm").pixel_array[..., 0].astype(float)
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    share = np.linspace(0.05, 0.95, 40)[:, None]
    shown, expected = [], []
    groups = children(read(tmp_path, "report.sr.dcm"), "126010")[0].ContentSequence[1:]
    for group, vertebra in zip(groups, told["vertebrae"], strict=True):
        for column, item in zip(COLUMNS, children(group, "121207"), strict=True):
            line = next(x for x in item.ContentSequence if x.ValueType == "SCOORD3D")
            first, last = np.array(line.GraphicData).reshape(2, 3)
            in_ct = series.volume.sample(first + share * (last - first))
            ends = vertebra["keypoints_sagittal_mm"][column]
            superior, inferior = np.array(ends["superior"]), np.array(ends["inferior"])
            drawn_mm = superior + share * (inferior - superior)
            place = np.array(told["picture"]["origin_px"]) + drawn_mm / told["picture"]["pixel_mm"]
            shown.append(picture[tuple(np.floor(place).astype(int).T[::-1])])
            expected.append(window(in_ct, -250, 1000) * 255)

    assert np.ptp(shown) > 120
    assert np.abs(np.array(shown) - expected).mean() < 6
    assert np.corrcoef(np.ravel(shown), np.ravel(expected))[0, 1] > 0.99


def test_a_bright_point_of_the_ct_lies_where_the_projection_says():
    """Not straightened: patient millimetres, towards the back and towards the feet."""
    volume = make_volume()
    hu = np.full(volume.hu.shape, -1000, np.int16)
    hu[20, 40, 24] = 30000
    spine = SpineCurve.from_points(np.array([[0.0, 0, 95], [0.0, 0, -45]]), 1.0)

    image = project_sagittal(CTVolume(hu, volume.affine.copy()), spine)

    assert image is not None
    row, column = np.unravel_index(image.hu.argmax(), image.hu.shape)
    point = volume.to_patient(np.array([20.0, 40, 24]))
    x_mm, z_mm = image.to_image(point)
    assert column * image.step_mm == pytest.approx(x_mm, abs=image.step_mm)
    assert row * image.step_mm == pytest.approx(z_mm, abs=image.step_mm)


def test_a_spine_outside_the_volume_has_no_projection():
    """None, and no page with nothing on it."""
    spine = SpineCurve.from_points(np.array([[0.0, 0, 995], [0.0, 0, 900]]), 1.0)

    assert project_sagittal(make_volume(), spine) is None


def test_abnormal_bodies_alone_carry_their_slice():
    """What is printed beside a normal body would only distract."""
    report = make_analysis([NORMAL, SEVERE]).report
    assert report.spine is not None
    image = project_sagittal(make_volume(), report.spine)
    assert image is not None

    def drawn(slices):
        facts = PictureFacts("vfnode", "1.2.3", CREATED, slices=slices)
        return draw_projection(report, image, facts).rgb

    without, normal = drawn(("", "")), drawn(("image 7", ""))
    severe = drawn(("", "image 7"))
    assert np.array_equal(without, normal)
    assert not np.array_equal(without, severe)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_grades_stand_out_from_bone_for_everyone(deficiency):
    """Drawn on grey of any brightness between soft tissue and cortex."""
    for grade in layout()["grades"].values():
        for grey in ("#404040", "#808080", "#A0A0A0"):
            seen = DEFICIENCIES[deficiency]
            assert np.linalg.norm(lab(grade["colour"], seen) - lab(grey, seen)) > 15
