"""The sagittal planes: CT images that a viewer can place, measure and window."""

import numpy as np
import pydicom
import pytest

from tests.factories import CREATED, make_analysis, make_series
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.errors import NotEvaluableError

ON = ResultSettings(objects={"reformat": "always"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The CT, the analysis, and the files of its planes."""
    folder = tmp_path_factory.mktemp("reformat")
    series, analysis = make_series(folder / "ct"), make_analysis()
    build_and_write(analysis, series, folder / "out", ON, CREATED)
    return series, analysis, sorted((folder / "out").glob("reformat-*.ct.dcm"))


def place_mm(plane, down, back):
    """Patient point of a pixel, as PS3.3 C.7.6.2.1.1 says."""
    origin, axes = np.array(plane.ImagePositionPatient, float), plane.ImageOrientationPatient
    rows_mm, columns_mm = map(float, plane.PixelSpacing)
    row, column = np.array(axes, float).reshape(2, 3)
    return origin + columns_mm * back * row + rows_mm * down * column


def test_a_pixel_is_the_ct_at_its_place(made):
    """Read as any viewer does: position, orientation and spacing lead to the same tissue."""
    series, _, paths = made
    plane = pydicom.dcmread(paths[len(paths) // 2])
    down, back = plane.Rows // 2, 60

    place = place_mm(plane, down, back)

    assert plane.pixel_array[down, back] == pytest.approx(
        series.volume.sample(place[None])[0], abs=0.51
    )
    assert plane.FrameOfReferenceUID == series.frame_of_reference_uid


def test_a_ruler_on_a_plane_measures_a_body(made):
    """The measured keypoints lie in the planes, so a height can be checked there."""
    _, analysis, paths = made
    plane = pydicom.dcmread(paths[len(paths) // 2])
    top, bottom = analysis.report.vertebrae[0].keypoints_patient_mm[0]
    row, column = np.array(plane.ImageOrientationPatient, float).reshape(2, 3)
    origin = np.array(plane.ImagePositionPatient, float)

    pixels = [((point - origin) @ column, (point - origin) @ row) for point in (top, bottom)]
    aside = [abs((point - origin) @ np.cross(row, column)) for point in (top, bottom)]

    length = np.linalg.norm(np.array(pixels[0]) - np.array(pixels[1]))
    assert length == pytest.approx(np.linalg.norm(top - bottom), abs=0.01)
    assert max(aside) <= float(plane.SpacingBetweenSlices) / 2


def test_planes_come_in_order_from_right_to_left(made):
    """Instance numbers and places rise together; one series of its own."""
    planes = [pydicom.dcmread(path) for path in made[2]]

    assert [plane.InstanceNumber for plane in planes] == list(range(1, len(planes) + 1))
    assert np.all(np.diff([plane.ImagePositionPatient[0] for plane in planes]) > 0)
    assert len({plane.SeriesInstanceUID for plane in planes}) == 1


def test_the_node_never_analyses_its_own_planes(made):
    """A PACS that routes them back finds nobody at home."""
    with pytest.raises(NotEvaluableError, match="no original CT"):
        read_ct_series([made[2][0].parent])
