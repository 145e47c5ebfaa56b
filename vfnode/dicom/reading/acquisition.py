"""How a CT was made, as its headers say: what figures are told apart by."""

from __future__ import annotations

from pathlib import Path

from vfnode.dicom.reading.selection import read_images


def acquisition(folder: Path) -> dict[str, str]:
    """Kernel and slice thickness of the longest series in a folder, where they are stated.

    Raises:
        UnreadableInputError: no DICOM there, or a damaged file; names it.
    """
    series = read_images([folder]).by_series().values()
    if not series:
        return {}
    header = max(series, key=len)[0].dataset
    found = {}
    kernel = header.get("ConvolutionKernel")
    if kernel:
        found["kernel"] = kernel if isinstance(kernel, str) else "\\".join(map(str, kernel))
    thickness = header.get("SliceThickness")
    if thickness:
        found["slice thickness"] = f"{float(thickness):g} mm"
    return found
