"""Thin CT averaged to thick slices: the same patient, the same truth, a poorer image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfnode.spine.volume import CTVolume, FloatArray

THICK_MM = (2.0, 3.0, 4.0, 5.0)  #: what archives hold, thinnest first
PHASES = 3  #: starts of the first thick slice, evenly spread
THIN_MM = 1.6  #: slices up to this distance can be averaged to all of THICK_MM
MISSED_MM = 0.3  #: a thickness that whole slices miss by more is left out


@dataclass(frozen=True)
class Averaging:
    """Number of consecutive slices that become one, and the first of them.

    ``count`` 1 leaves the CT as it is.
    """

    count: int
    phase: int = 0


def averagings(slice_mm: float) -> tuple[Averaging, ...]:
    """The CT itself, then every thickness of ``THICK_MM`` that whole slices give, in ``PHASES``
    phases.

    Empty for slices that are not thin. Where two slices become one there are two phases only.
    """
    if slice_mm > THIN_MM:
        return ()
    counts = [max(1, round(wanted / slice_mm)) for wanted in THICK_MM]
    kept = dict.fromkeys(
        count
        for count, wanted in zip(counts, THICK_MM, strict=True)
        if count > 1 and abs(count * slice_mm - wanted) <= MISSED_MM
    )
    thick = (
        Averaging(count, phase)
        for count in kept
        for phase in sorted({turn * count // PHASES for turn in range(PHASES)})
    )
    return (Averaging(1), *thick)


def averaged(volume: CTVolume, averaging: Averaging) -> CTVolume:
    """A CT of thick slices; what is left over at the end is dropped.

    Args:
        volume: any orientation.
        averaging: of its axial slices, counted from the cranial end.

    Returns:
        The mean of each group of slices, axes in canonical order.
    """
    thin, count, phase = volume.canonical(), averaging.count, averaging.phase
    groups = (thin.hu.shape[0] - phase) // count
    hu = np.empty((groups, *thin.hu.shape[1:]), np.int16)
    for index in range(groups):
        first = phase + index * count
        hu[index] = np.rint(thin.hu[first : first + count].mean(0, dtype=np.float32))
    return CTVolume(hu, _thick_affine(thin.affine, averaging))


def _thick_affine(affine: FloatArray, averaging: Averaging) -> FloatArray:
    """The affine of groups of slices: the first one's middle, and steps of a whole group."""
    thick = affine.copy()
    thick[:3, 3] += affine[:3, 0] * (averaging.phase + (averaging.count - 1) / 2)
    thick[:3, 0] *= averaging.count
    return thick
