"""What the DICOM tests share: editing files, and the validators that stand beside us."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest

from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.errors import NotEvaluableError


def edit(path: Path, **changes: Any) -> None:
    """Set attributes of a file; None takes one away."""
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        elif keyword.startswith("PixelPadding"):
            dataset.add_new(keyword, "US", value)  # as scanners do, whatever the pixels' sign
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def refusal(folder: Path) -> NotEvaluableError:
    """The coded refusal of what stands in a folder."""
    with pytest.raises(NotEvaluableError) as caught:
        read_ct_series([folder])
    return caught.value


def tool(name: str) -> str:
    """Path of a Debian tool; the test is skipped where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def dciodvfy_errors(path: Path) -> list[str]:
    """Error lines of dicom3tools' validator."""
    run = subprocess.run(
        [tool("dciodvfy"), str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    return [line for line in run.stderr.splitlines() if line.startswith("Error")]
