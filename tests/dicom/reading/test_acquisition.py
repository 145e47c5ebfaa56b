"""How a CT was made, by its headers."""

from datetime import UTC, datetime
from pathlib import Path

import pydicom

from tests.evaluation.factories import empty_volume
from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series
from vfnode.dicom.reading.acquisition import acquisition

FACTS = CTSeriesFacts("acquisition", datetime(2026, 1, 2, tzinfo=UTC))


def written(folder: Path, **attributes: object) -> Path:
    """A CT of 2 mm slices with some attributes in every header; None removes one."""
    for path in write_ct_series(empty_volume(), folder, FACTS):
        dataset = pydicom.dcmread(path)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    return folder


def test_kernel_and_thickness_come_from_the_header(tmp_path):
    """Slices of 2.5 mm every 2 mm with a bone kernel; several values stand side by side."""
    folder = written(tmp_path, ConvolutionKernel=["Br40f", "3"], SliceThickness="2.50")

    assert acquisition(folder) == {"kernel": "Br40f\\3", "slice thickness": "2.5 mm"}


def test_what_no_header_states_is_not_made_up(tmp_path):
    """Empty attributes give no group."""
    assert acquisition(written(tmp_path, ConvolutionKernel=None, SliceThickness=None)) == {}
