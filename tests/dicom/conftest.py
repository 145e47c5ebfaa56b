"""What several modules look at: the objects of each kind of answer, built once a process."""

import pydicom
import pytest

from tests.dicom.answers import ANALYSES
from tests.factories import CREATED, make_series
from vfnode.dicom.results.outputs import build_and_write


@pytest.fixture(scope="session")
def series(tmp_path_factory):
    """A small CT with a clean header."""
    return make_series(tmp_path_factory.mktemp("ct"))


@pytest.fixture(scope="session")
def answers(series, tmp_path_factory):
    """Folder of the objects of each kind of answer."""
    folder = tmp_path_factory.mktemp("answers")
    for kind, analysis in ANALYSES.items():
        build_and_write(analysis, series, folder / kind, created=CREATED)
    return folder


@pytest.fixture(scope="session")
def result(answers):
    """The objects of a positive report."""
    return answers / "positive"


@pytest.fixture(scope="session")
def document(result):
    """Its SR, read back."""
    return pydicom.dcmread(result / "report.sr.dcm")


@pytest.fixture(scope="session")
def picture(result):
    """Its SC, read back."""
    return pydicom.dcmread(result / "sagittal.sc.dcm")
