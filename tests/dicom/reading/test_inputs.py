"""Every kind of input that is known: measured, measured in part, or refused with a code."""

import warnings

import numpy as np
import pydicom
import pytest

from tests.docs.inputs import PAGE, with_table
from tests.factories import make_ct_folder, make_volume
from tests.inputs import INPUTS, Input
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.errors import NotEvaluableError
from vfnode.spine.volume import CTVolume


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.what)
def test_an_input_becomes_what_the_table_says(tmp_path, given: Input):
    """Its slices, its notes, what is left out, where there is no image; or its code."""
    volume = make_volume((60, 24, 18), (2.5, 4.0, 4.0))
    paths = make_ct_folder(tmp_path, volume)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, on what we write wrong on purpose
        given.spoil(paths)

    if given.refused:
        with pytest.raises(NotEvaluableError) as refused:
            read_ct_series([tmp_path])
        assert refused.value.code == given.refused.code
        return
    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == given.slices
    assert len(series.left_out) == given.left_out
    assert set(series.notes) == set(given.notes)
    assert tuple(np.flatnonzero(~series.volume.is_image)) == given.missing


def test_what_lies_between_slices_of_two_distances_is_where_it_was(tmp_path):
    """A point of the patient has the same value on the even grid; 5 mm slices blur it only."""
    volume = make_volume((60, 24, 18), (2.5, 4.0, 4.0))
    given = next(each for each in INPUTS if each.what == "2.5 mm above, 5 mm below")
    given.spoil(make_ct_folder(tmp_path, volume))

    found = read_ct_series([tmp_path])[0].volume

    np.testing.assert_allclose(found.affine, volume.affine, atol=1e-6)
    np.testing.assert_array_equal(found.hu[:31], volume.hu[:31])
    np.testing.assert_array_equal(found.hu[32:59:2], volume.hu[32:59:2])
    middle = (volume.hu[32:57:2].astype(float) + volume.hu[34:59:2]) / 2
    np.testing.assert_allclose(found.hu[33:58:2], middle, atol=0.5)


def test_another_field_of_view_is_where_it_was(tmp_path):
    """The lower half is brought to the pixels of the upper one; a ramp stays where it was."""
    slices, rows, columns = np.indices((60, 24, 18))
    ramp = CTVolume((10 * rows + 7 * columns + slices).astype(np.int16), make_volume().affine)
    given = next(each for each in INPUTS if each.what.startswith("a field of view"))
    paths = make_ct_folder(tmp_path, ramp)
    given.spoil(paths)
    lower = pydicom.dcmread(paths[45])
    x, y, z = (float(value) for value in lower.ImagePositionPatient)
    row_mm, column_mm = (float(value) for value in lower.PixelSpacing)
    places = np.array([[x + c * column_mm, y + r * row_mm, z] for r in (3, 20) for c in (2, 15)])

    found = read_ct_series([tmp_path])[0].volume

    expected = [10 * r + 7 * c + 45 for r in (3, 20) for c in (2, 15)]
    np.testing.assert_allclose(found.sample(places), expected, atol=1.0)
    assert found.sample(ramp.to_patient(np.array([[45.0, 0.5, 0.5]])))[0] < -500  # beyond it


def test_the_page_of_inputs_is_printed_from_the_list():
    """Run ``python -m tests.docs.inputs`` after a change."""
    text = PAGE.read_text("utf-8")

    assert with_table(text) == text
