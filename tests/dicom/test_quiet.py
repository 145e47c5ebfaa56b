"""pydicom warns of no odd value, whoever imports it first: its warnings quote the values."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "imports",
    [
        "import vfnode.dicom, pydicom",
        "import pydicom, vfnode.dicom",
        "import vfnode.node.app, pydicom",
    ],
)
def test_pydicom_is_quiet_in_whatever_order(imports):
    """And it is not loaded for those who need only the names of this package."""
    program = (
        f"{imports}\n"
        "config = pydicom.config\n"
        "print(config.settings.reading_validation_mode == config.IGNORE)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "True"
