"""Slices in space: order, spacing, gaps, jitter, and the affine of the stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from vfnode.dicom.reading.slice_header import SliceHeader
from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason
from vfnode.spine.volume import FloatArray

#: A stack shorter than this cannot hold one vertebral body with both neighbouring discs.
MIN_EXTENT_MM = 30.0
MIN_SLICES = 8
#: Slices closer than this lie at the same position: no scanner steps so little.
SAME_POSITION_MM = 0.02
#: Scanners and archives round ImagePositionPatient; a tenth of a slice changes no height.
JITTER_PART = 0.1
JITTER_MM = 0.1
#: A step of this many spacings has lost a slice.
GAP_STEPS = 1.5


def order_slices(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Slices by position along their normal, one a position.

    Only ImagePositionPatient decides: InstanceNumber may follow anything. The order is
    cranial to caudal where the stack is axial. Of slices at the same position the one of
    the largest acquisition stays, then the lowest InstanceNumber, then the lowest UID.
    """
    normal = _toward_caudal(slices[0])
    sizes = Counter(_acquisition(header) for header in slices)
    ranked = sorted(
        slices,
        key=lambda header: (
            -sizes[_acquisition(header)],
            int(header.dataset.get("InstanceNumber") or 0),
            header.sop_instance_uid,
            header.frame,
        ),
    )
    kept: list[SliceHeader] = []
    # The sort is stable: of slices at exactly one position the first in rank comes first.
    for header in sorted(ranked, key=lambda header: float(header.position_mm @ normal)):
        step = (header.position_mm - kept[-1].position_mm) @ normal if kept else np.inf
        if step > SAME_POSITION_MM:
            kept.append(header)
    return kept


def stack_affine(slices: Sequence[SliceHeader]) -> FloatArray:
    """Affine (4, 4) voxel (k, r, c, 1) -> patient LPS mm of ordered slices.

    Spacing comes from all positions. A tilted gantry moves each slice sideways: the step
    from slice to slice is kept as it is, so the affine is sheared and nothing is skewed.

    Raises:
        NotEvaluableError: too few slices, a missing slice, or no regular stack.
    """
    positions = np.array([header.position_mm for header in slices])
    _check_count(slices, positions)
    steps = np.diff(positions @ _toward_caudal(slices[0]))
    _check_steps(steps)
    index = np.arange(len(positions))
    step, start = np.polyfit(index, positions, 1)
    spacing = float(np.median(steps))
    stray = np.abs(positions - (start + index[:, None] * step)).max()
    if stray > _tolerance_mm(spacing):
        raise NotEvaluableError(
            Reason.GEOMETRY_REFUSED.code,
            f"slices lie up to {stray:.2f} mm off a straight even stack",
        )
    rows_mm, columns_mm = slices[0].pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = slices[0].orientation[3:] * rows_mm
    affine[:3, 2] = slices[0].orientation[:3] * columns_mm
    affine[:3, 3] = start
    return affine


def _check_count(slices: Sequence[SliceHeader], positions: FloatArray) -> None:
    extent = float(np.ptp(positions @ _toward_caudal(slices[0])))
    if len(slices) < MIN_SLICES or extent < MIN_EXTENT_MM:
        raise NotEvaluableError(
            Reason.TOO_FEW_SLICES.code,
            f"{len(slices)} slices over {extent:.0f} mm; at least {MIN_SLICES} slices "
            f"over {MIN_EXTENT_MM:.0f} mm are needed",
        )


def _check_steps(steps: FloatArray) -> None:
    """Tell a lost slice from a stack that is uneven by nature.

    Raises:
        NotEvaluableError: either of the two.
    """
    spacing = float(np.median(steps))
    off = np.abs(steps - spacing) > 2 * _tolerance_mm(spacing)
    if not off.any():
        return
    lost = np.round(steps[off] / spacing)
    whole = np.abs(steps[off] - lost * spacing) <= 2 * _tolerance_mm(spacing)
    if whole.all() and (steps[off] > GAP_STEPS * spacing).all():
        raise NotEvaluableError(
            Reason.SLICE_GAP.code,
            f"{int((lost - 1).sum())} of {int(len(steps) + 1 + (lost - 1).sum())} slices missing "
            f"(spacing {spacing:.2f} mm, largest step {steps.max():.2f} mm)",
        )
    raise NotEvaluableError(
        Reason.GEOMETRY_REFUSED.code,
        f"slices are spaced unevenly: {steps.min():.2f} to {steps.max():.2f} mm",
    )


def _toward_caudal(header: SliceHeader) -> FloatArray:
    return -header.normal if header.normal[2] > 0 else header.normal


def _tolerance_mm(spacing_mm: float) -> float:
    return max(JITTER_MM, JITTER_PART * spacing_mm)


def _acquisition(header: SliceHeader) -> str:
    return str(header.dataset.get("AcquisitionNumber") or "")
