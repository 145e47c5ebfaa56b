"""Which files of a series are slices of its volume: duplicates, localizers, phases, frames."""

import random

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    SecondaryCaptureImageStorage,
)

from tests.dicom.tools import edit, refusal
from tests.factories import make_analysis, make_ct_folder, make_volume
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.spine.reason import Reason


def test_of_two_slices_at_one_position_the_lower_instance_number_stays(tmp_path):
    """A second image at the same place is dropped by rule, not by chance."""
    paths = make_ct_folder(tmp_path)
    twin = pydicom.dcmread(paths[10])
    twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    twin.InstanceNumber = 999
    twin.PixelData = bytes(len(twin.PixelData))
    twin.save_as(tmp_path / "000000.dcm")

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 60
    np.testing.assert_array_equal(series.volume.hu, make_volume().hu)


def test_the_same_file_twice_counts_once(tmp_path):
    """A copy of a slice changes nothing."""
    paths = make_ct_folder(tmp_path)
    (tmp_path / "copy.dcm").write_bytes(paths[3].read_bytes())

    assert len(read_ct_series([tmp_path])[0].instances) == 60


def test_a_localizer_is_dropped_by_its_image_type(tmp_path):
    """ImageType LOCALIZER is never a slice, even at a slice's place."""
    paths = make_ct_folder(tmp_path)
    scout = pydicom.dcmread(paths[0])
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.InstanceNumber = 0
    scout.PixelData = bytes(len(scout.PixelData))
    scout.save_as(tmp_path / "scout.dcm")

    series = read_ct_series([tmp_path])[0]

    assert "1.2.3.5" not in {instance.sop_instance_uid for instance in series.instances}


@pytest.mark.parametrize("seed", range(8))
def test_localizers_anywhere_are_removed_and_nothing_else(tmp_path, seed):
    """Any number of them, between any slices, whatever their names and numbers."""
    paths = make_ct_folder(tmp_path, make_volume((20, 8, 8)))
    chosen = random.Random(seed)
    for index, path in enumerate(chosen.sample(paths, chosen.randint(1, 12))):
        scout = pydicom.dcmread(path)
        scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index}"
        scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        scout.InstanceNumber = chosen.randint(1, 30)
        scout.save_as(tmp_path / f"{chosen.random()}.dcm")

    kept = read_ct_series([tmp_path])[0].instances

    assert [instance.path for instance in kept] == paths


def test_a_localizer_that_hides_is_dropped_by_its_orientation(tmp_path):
    """An image of another orientation in the series is not one of its slices."""
    paths = make_ct_folder(tmp_path)
    scout = pydicom.dcmread(paths[0])
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = "1.2.3.6"
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    scout.save_as(tmp_path / "scout.dcm")

    series = read_ct_series([tmp_path])[0]

    assert "1.2.3.6" not in {instance.sop_instance_uid for instance in series.instances}


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]},
        {"ImageType": ["DERIVED", "PRIMARY", "MIP"]},
        {"SOPClassUID": SecondaryCaptureImageStorage},
    ],
)
def test_what_is_not_original_ct_is_not_analysed(tmp_path, changes):
    """Reformats, projections and secondary captures carry a coded refusal."""
    for path in make_ct_folder(tmp_path, make_volume((10, 8, 8), (5, 1, 1))):
        edit(path, **changes)

    assert refusal(tmp_path).code == Reason.NOT_CT.code


def test_one_frame_of_reference_a_file_is_taken_as_lost(tmp_path):
    """LIDC-IDRI drew a new frame of reference for every slice; the stack is still one."""
    for index, path in enumerate(make_ct_folder(tmp_path)):
        edit(path, FrameOfReferenceUID=f"1.2.3.{index}")

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 60
    assert series.notes == (Reason.FRAME_ASSUMED,)


def test_a_frame_of_reference_that_changes_half_way_parts_nothing_but_is_told(tmp_path):
    """The positions go on: the anatomy of both is measured, and one frame is assumed."""
    for index, path in enumerate(make_ct_folder(tmp_path)):
        if index >= 40:
            edit(path, FrameOfReferenceUID="1.2.3.4")

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 60
    assert series.notes == (Reason.FRAME_ASSUMED,)


def test_a_second_frame_of_reference_at_the_same_place_is_another_stack(tmp_path):
    """Its slices are not mixed in."""
    make_ct_folder(tmp_path / "first")
    for index, path in enumerate(make_ct_folder(tmp_path / "second")):
        edit(path, FrameOfReferenceUID="1.2.3.4", SOPInstanceUID=f"1.2.3.{index}")

    series = read_ct_series([tmp_path])[0]

    assert {each.path.parent.name for each in series.instances} == {"first"}
    assert series.notes == (Reason.ONE_STACK_OF_SEVERAL,)


@pytest.mark.parametrize(
    ("attribute", "wanted", "other"),
    [
        ("TemporalPositionIdentifier", 1, 2),
        ("AcquisitionNumber", 2, 11),  # numbers, not texts
        ("NominalPercentageOfCardiacPhase", 30, 70),
        ("ContrastBolusAgent", "", "Omnipaque"),
        ("ConvolutionKernel", "B30f", "B70f"),
        ("SliceThickness", 2.5, 5),
        ("AcquisitionTime", "101500", "101530"),
    ],
)
@pytest.mark.parametrize("offset_mm", [0.0, 0.9])
def test_phases_of_one_series_are_not_mixed(tmp_path, attribute, wanted, other, offset_mm):
    """One of them is read, at the same places or between them, and a note says so."""
    first = make_ct_folder(tmp_path / "first", make_volume((30, 8, 8)))
    second = make_ct_folder(tmp_path / "second", make_volume((30, 8, 8)))
    for index, (path, later) in enumerate(zip(first, second, strict=True)):
        edit(path, **{attribute: wanted}, InstanceNumber=2 * index + index % 2)
        x, y, z = pydicom.dcmread(later).ImagePositionPatient
        edit(
            later,
            SOPInstanceUID=f"1.2.3.{index}",
            ImagePositionPatient=[x, y, float(z) - offset_mm],
            InstanceNumber=2 * index + 1 - index % 2,
            **{attribute: other},
        )

    series = read_ct_series([tmp_path])[0]

    assert {instance.path.parent.name for instance in series.instances} == {"first"}
    assert len(series.instances) == 30
    assert series.notes == (Reason.ONE_STACK_OF_SEVERAL,)


def test_a_scan_in_several_steps_is_one_volume(tmp_path):
    """Each step is an acquisition of its own, and nothing lies on anything else."""
    for index, path in enumerate(make_ct_folder(tmp_path, make_volume((40, 8, 8)))):
        edit(path, AcquisitionNumber=1 + index // 8)

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 40
    assert series.notes == ()


def test_where_two_acquisitions_overlap_the_larger_one_stays(tmp_path):
    """The two slices that both have are no phase."""
    paths = make_ct_folder(tmp_path, make_volume((40, 8, 8)))
    for path in paths[30:]:
        edit(path, AcquisitionNumber=2)
    for index, path in enumerate(paths[28:30]):
        twin = pydicom.dcmread(path)
        twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index}"
        twin.AcquisitionNumber = 2
        twin.save_as(tmp_path / f"twin{index}.dcm")

    series = read_ct_series([tmp_path])[0]

    assert len(series.instances) == 40
    assert not any(instance.path.name.startswith("twin") for instance in series.instances)


def test_a_note_on_the_images_stands_with_the_result():
    """After what the networks say."""
    analysis = make_analysis(quality=(Reason.THICK_SLICES,))

    report = analysis.with_quality((Reason.ONE_STACK_OF_SEVERAL,)).report

    assert report.quality == (Reason.THICK_SLICES, Reason.ONE_STACK_OF_SEVERAL)
