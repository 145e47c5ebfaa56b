"""Enhanced CT and Legacy Converted Enhanced CT: one file, many slices."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    EnhancedCTImageStorage,
    JPEG2000Lossless,
    LegacyConvertedEnhancedCTImageStorage,
)

from tests.dicom.enhanced_ct import frames_of, write_enhanced_ct
from tests.factories import make_volume
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume

ENHANCED = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)


@pytest.mark.parametrize(
    "sop_class", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage]
)
@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless])
def test_an_enhanced_ct_is_read_frame_by_frame(tmp_path, syntax, sop_class):
    """Geometry from the functional groups, per frame before shared; frames in any order."""
    volume = make_volume((20, 64, 48), (2.5, 1.5, 1.5))
    path = tmp_path / "enhanced.dcm"
    write_enhanced_ct(frames_of(tmp_path / "frames", volume), path, sop_class)
    if syntax:
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)

    series = read_ct_series([path])[0]

    np.testing.assert_array_equal(series.volume.hu, volume.hu)
    np.testing.assert_allclose(series.volume.affine, volume.affine, atol=1e-6)
    assert sorted(instance.frame for instance in series.instances) == list(range(20))
    assert series.instances[0].sop_class_uid == sop_class


def test_a_legacy_converted_series_in_two_files_is_one_volume(tmp_path):
    """Archives cut them at a number of frames of their own."""
    volume = make_volume((20, 16, 12), (2.5, 1.5, 1.5))
    frames = frames_of(tmp_path / "frames", volume)
    for number, part in enumerate((frames[:13], frames[13:])):
        write_enhanced_ct(part, tmp_path / f"{number}.dcm", LegacyConvertedEnhancedCTImageStorage)

    series = read_ct_series([tmp_path / "0.dcm", tmp_path / "1.dcm"])[0]

    np.testing.assert_array_equal(series.volume.hu, volume.hu)


def test_phases_in_one_enhanced_ct_are_not_mixed(tmp_path):
    """Told apart by the frame content; the first one is read, and a note says so."""
    volume = make_volume((20, 16, 12), (2.5, 1.5, 1.5))
    later = CTVolume(volume.hu + np.int16(100), volume.affine.copy())
    phases = [frames_of(tmp_path / "1", volume), frames_of(tmp_path / "2", later)]
    for number, frames in enumerate(phases, start=1):
        for frame in frames:
            frame.TemporalPositionIdentifier = number
    frames = [frame for pair in zip(*reversed(phases), strict=True) for frame in pair]
    write_enhanced_ct(frames, tmp_path / "enhanced.dcm")

    series = read_ct_series([tmp_path / "enhanced.dcm"])[0]

    np.testing.assert_array_equal(series.volume.hu, volume.hu)
    assert series.notes == (Reason.ONE_STACK_OF_SEVERAL,)
