"""Stage 1: the spine's centre line in a CT volume.

Heat-map per slice, averaged over the image and its mirror image; dynamic
programming picks the connected path of the largest total evidence, which gives
the limits too; a local soft-argmax refines it below a voxel, a smoothing spline
joins it in patient coordinates.
"""

import numpy as np
import torch
from scipy.interpolate import make_smoothing_spline

from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel
from vfnode.spine.curve import SpineCurve
from vfnode.spine.reason import Reason
from vfnode.spine.resample import FloatImage, resample, resampled_affine, window
from vfnode.spine.volume import CTVolume, FloatArray

_PAD_VOXELS = (4, 8, 8)  #: of air, each side of the resampled volume
_LOWEST_LENGTH_MM = 24.0  #: a shorter column holds no complete vertebra
_STRONGEST = 4.0  #: logit; no single slice counts for more, or against more
_STEP_COST = 0.25  #: evidence (logit) that one pixel sideways from slice to slice costs
_MOVES = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
_BEGIN = len(_MOVES)  #: in place of a move: the path begins here
_RADIUS = 3  #: heat-map pixels of the local soft-argmax
_EXTENSION_MM = 12.0  #: beyond the limits, so that the outermost bodies are whole
_SMOOTHING_MM = 12.0  #: bends shorter than this are noise of single slices


def localize_spine(volume: CTVolume, model: LoadedModel, device: str = "cpu") -> SpineCurve:
    """Find the centre line of the vertebral bodies C3 to L5 that the volume shows.

    Args:
        volume: any orientation and spacing.
        model: bundle of role "spine".
        device: torch device that holds the model.

    Raises:
        NotEvaluableError: no spine (code of ``Reason.NO_SPINE``).
    """
    canonical = volume.canonical()
    spacing = model.manifest.spacing_mm
    low, high = model.manifest.window_hu
    image = window(resample(canonical.hu, tuple(canonical.spacing_mm), spacing), low, high)
    logits = _heat_maps(image, model, device)
    grid = CTVolume(np.zeros((1, 1, 1), np.int16), resampled_affine(canonical, spacing))
    first, path = _path(logits, spacing[0])
    last = first + len(path) - 1
    pixels, spread = _refine(logits[first : last + 1], path)
    slices = np.arange(first, last + 1)
    # A heat-map pixel is two input pixels wide and lies on the even ones.
    voxels = np.column_stack([slices, 2 * pixels])
    points = grid.to_patient(_smooth(voxels, spread, spacing, len(logits)))
    return SpineCurve.from_points(points, 1.0)


def _heat_maps(image: FloatImage, model: LoadedModel, device: str) -> FloatImage:
    """Logits (K, R', C') on every second pixel, mean of the image and its mirror image."""
    widths = [(_PAD_VOXELS[axis], _PAD_VOXELS[axis]) for axis in range(3)]
    # An odd number of columns: only then do the even ones mirror onto themselves.
    widths[2] = (widths[2][0], widths[2][1] + (image.shape[2] + 1) % 2)
    padded = np.pad(image, widths)  # 0 is air
    tensor = torch.from_numpy(padded)[None, None].to(device)
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, _fast_bfloat16(device)):
        direct = model.model(tensor).logits
        mirrored = model.model(tensor.flip(-1)).logits.flip(-1)
    logits = ((direct + mirrored) / 2)[0].float().cpu().numpy()
    k, r, c = _PAD_VOXELS
    shown = logits[k : k + image.shape[0], r // 2 :, c // 2 :]
    return np.asarray(shown[:, : (image.shape[1] + 1) // 2, : (image.shape[2] + 1) // 2])


def _fast_bfloat16(device: str) -> bool:
    """True if bfloat16 is quicker than float32 here: measured twice as fast with AVX512-BF16."""
    if device != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _path(logits: FloatImage, slice_mm: float) -> tuple[int, np.ndarray]:
    """The connected path of the largest total evidence, free to begin and end at any slice.

    Evidence is the logit, so a path ends where spine turns improbable (probability
    0.5, as in the paper) and bridges a gap only where more spine follows in line;
    a chance hit elsewhere in the volume cannot lengthen it.

    Args:
        logits: (K, R, C).
        slice_mm: distance of the slices.

    Returns:
        The first slice, and one (row, column) per slice; (n, 2).

    Raises:
        NotEvaluableError: no path of positive evidence, or a short one.
    """
    evidence = np.clip(logits, -_STRONGEST, _STRONGEST)
    total, totals, choices = evidence[0], [evidence[0]], []
    for plane in evidence[1:]:
        reached = _reached(total)
        choices.append(np.where(reached.max(0) > 0, reached.argmax(0), _BEGIN))
        total = plane + np.maximum(reached.max(0), 0)
        totals.append(total)
    last = int(np.argmax([plane.max() for plane in totals]))
    point = np.array(np.unravel_index(totals[last].argmax(), total.shape))
    path, first = [point], last
    while first > 0 and (choice := choices[first - 1][tuple(point)]) != _BEGIN:
        point = point + _MOVES[choice]
        path.append(point)
        first -= 1
    if totals[last].max() <= 0 or len(path) * slice_mm < _LOWEST_LENGTH_MM:
        raise NotEvaluableError(Reason.NO_SPINE.code, "no slices in a row show vertebral bodies")
    return first, np.array(path[::-1])


def _reached(total: FloatImage) -> FloatImage:
    """Best totals of the slice above, moved to each pixel by each of the nine steps."""
    padded = np.pad(total, 1, constant_values=-np.inf)
    rows, columns = total.shape
    return np.stack(
        [
            padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] - _STEP_COST * np.hypot(i, j)
            for i, j in _MOVES
        ]
    )


def _refine(logits: FloatImage, path: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Local soft-argmax around the path: points (K, 2) and their spread (K,), pixels."""
    points, spreads = [], []
    for plane, (row, column) in zip(logits, path, strict=True):
        top, left = max(0, row - _RADIUS), max(0, column - _RADIUS)
        part = plane[top : row + _RADIUS + 1, left : column + _RADIUS + 1]
        weight = np.exp(part - part.max())
        weight /= weight.sum()
        rows, columns = np.indices(part.shape)
        mean = np.array([(weight * rows).sum(), (weight * columns).sum()])
        variance = (weight * ((rows - mean[0]) ** 2 + (columns - mean[1]) ** 2)).sum()
        points.append(mean + np.array([top, left]))
        spreads.append(float(np.sqrt(variance / 2)))
    return np.array(points), np.array(spreads)


def _smooth(
    voxels: FloatArray, spread: FloatArray, spacing_mm: tuple[float, ...], slices: int
) -> FloatArray:
    """Smoothing splines through the slices' points, drawn on straight at both ends.

    Args:
        voxels: (K, 3) slice, row, column.
        spread: (K,) of the heat-maps; narrow ones count for more.
        spacing_mm: of the voxels.
        slices: of the volume; the extension stops there.

    Returns:
        (K', 3) voxels, K' >= K.
    """
    z = voxels[:, 0] * spacing_mm[0]
    weight = 1.0 / (0.3 + spread) ** 2
    weight /= weight.mean()
    # With this penalty on the second derivative, bends of period pi * _SMOOTHING_MM are halved.
    lam = (_SMOOTHING_MM / 2) ** 4 / spacing_mm[0]
    more = round(_EXTENSION_MM / spacing_mm[0])
    wanted = np.arange(max(0, voxels[0, 0] - more), min(slices - 1, voxels[-1, 0] + more) + 1)
    columns = [wanted]
    for axis in (1, 2):
        spline = make_smoothing_spline(z, voxels[:, axis], weight, lam=lam)
        inside = np.clip(wanted * spacing_mm[0], z[0], z[-1])
        slope = spline(inside, 1)
        columns.append(spline(inside) + slope * (wanted * spacing_mm[0] - inside))
    return np.column_stack(columns)
