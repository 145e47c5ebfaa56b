"""pydicom's own test files, one by one: strange on purpose, and none ends in a traceback."""

import contextlib
import warnings
from pathlib import Path

import pydicom
import pytest

from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.refused_series import read_refused_series
from vfnode.dicom.reading.series_facts import read_facts
from vfnode.errors import UnreadableInputError, VfnodeError

ROOT = Path(pydicom.__file__).parent / "data"
FILES = sorted(
    path for path in ROOT.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_strange_file_is_refused_in_our_own_words(path):
    """Named, in a folder, for the choice of a series, and for the answer to a refused one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, on its own files
        for given in ([path], [path.parent]):
            with pytest.raises(VfnodeError):
                read_ct_series(given)
        read_facts([path])
        with contextlib.suppress(UnreadableInputError):
            read_refused_series([path])
