"""Names of the vertebral levels: a signal along the spine, decoded by the order of the column."""

import numpy as np
import torch

from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel
from vfnode.networks.level_labeller import CLASSES
from vfnode.spine.curve import SpineCurve
from vfnode.spine.level_chain import NamedColumn, name_column
from vfnode.spine.reason import Reason
from vfnode.spine.resample import window
from vfnode.spine.spine_box import arc_of, row_of, spine_box
from vfnode.spine.volume import CTVolume, FloatArray

#: The rows of one spine share their errors: their evidence counts for less than its sum. Chosen
#: on synthetic CT of seeds that no training uses, so that confidence is the share that is right.
TEMPERATURE = 2.0
#: On seven CT of ../shared/data the right way up is likelier by 0.14 to 2 a body, and their copies
#: on the head less likely by as much.
MORE_LIKELY = 0.1
FEWEST_TO_TURN = 4  #: bodies; fewer say nothing
#: Rows of eight bodies and more had -1.52 or better; with twice the slice distance, which the
#: detector cuts into bodies of usual size, -2.0 to -4.4.
UNLIKELY, FEWEST_TO_DOUBT = -1.9, 8
FLOOR = -7.0  #: natural logarithm: no single body is more certain than this of what it is not


def label_levels(
    volume: CTVolume,
    curve: SpineCurve,
    keypoints_mm: FloatArray,
    loaded: LoadedModel,
    device: str = "cpu",
) -> NamedColumn:
    """Name measured bodies, of a spine that stands the right way up.

    Args:
        volume: the CT.
        curve: through the bodies.
        keypoints_mm: (n, 3, 2, 3) LPS, cranial to caudal, n at least 1.
        loaded: a bundle of role 'levels'.
        device: where its network is.

    Raises:
        NotEvaluableError: orientation-implausible.
    """
    centres = keypoints_mm.mean((1, 2))
    rows = row_of(arc_of(curve, centres))
    box = spine_box(volume, curve)
    evidence = evidence_at(level_logits(box, loaded, device), rows)
    turned = level_logits(np.ascontiguousarray(box[::-1]), loaded, device)
    require_column(evidence, evidence_at(turned, len(box) - 1 - rows[::-1]))
    gaps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    return name_column(evidence, gaps)


def require_column(evidence: dict[str, FloatArray], turned: dict[str, FloatArray]) -> None:
    """Refuse a spine that looks like no column, or more like one when it stands on its head.

    Args:
        evidence: log-probability (n,) of each class for the n bodies of a spine.
        turned: the same where the image of the spine was turned upside down.

    Raises:
        NotEvaluableError: scale-implausible, orientation-implausible.
    """
    as_it_is, upside_down = likeness(evidence), likeness(turned)
    bodies = len(next(iter(evidence.values())))
    if bodies >= FEWEST_TO_DOUBT and max(as_it_is, upside_down) < UNLIKELY:
        raise NotEvaluableError(
            Reason.SCALE_IMPLAUSIBLE.code,
            f"{bodies} bodies that follow each other as in nobody ({as_it_is:.2f} a body)",
        )
    if bodies >= FEWEST_TO_TURN and upside_down > as_it_is + MORE_LIKELY:
        raise NotEvaluableError(
            Reason.ORIENTATION_IMPLAUSIBLE.code,
            f"the spine looks upside down ({upside_down:.2f} against {as_it_is:.2f} a body)",
        )


def likeness(evidence: dict[str, FloatArray]) -> float:
    """Mean log-probability a body of the best row of consecutive levels."""
    table = np.stack([evidence[name] for name in CLASSES])  # (classes, n)
    count = table.shape[1]
    padded = np.pad(table, ((count, count), (0, 0)), constant_values=FLOOR)
    starts = range(padded.shape[0] - count + 1)
    rows = np.arange(count)
    return float(max(padded[start + rows, rows].mean() for start in starts))


def level_logits(box: np.ndarray, loaded: LoadedModel, device: str) -> FloatArray:
    """(classes, N) of a box (N, 32, 48) in HU; mean of the box and its mirror image."""
    low, high = loaded.manifest.window_hu
    image = torch.from_numpy(window(box, low, high)).to(device)
    with torch.inference_mode():
        logits = loaded.model(torch.stack([image, image.flip(-1)])[:, None]).mean(0)
    return np.asarray(logits.cpu().numpy(), float)


def evidence_at(logits: FloatArray, rows: FloatArray) -> dict[str, FloatArray]:
    """Log-probability (n,) of each class at fractional rows (n,), softened."""
    tempered = logits / TEMPERATURE
    at = np.stack([np.interp(rows, np.arange(logits.shape[1]), line) for line in tempered])
    log_probability = at - np.logaddexp.reduce(at, axis=0)
    return dict(zip(CLASSES, np.maximum(log_probability, FLOOR), strict=True))
