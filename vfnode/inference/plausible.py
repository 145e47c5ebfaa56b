"""Is it a patient, in Hounsfield units, the right way up, in true size? Asked before any grade."""

from __future__ import annotations

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.inference.bodies import Bodies
from vfnode.inference.bundle import LoadedModel
from vfnode.inference.localize_spine import localize_spine
from vfnode.spine.curve import SpineCurve
from vfnode.spine.plausible_hu import require_hu
from vfnode.spine.plausible_position import coverage_notes, require_front_before_back
from vfnode.spine.plausible_size import require_human_size, require_possible_voxels
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume


def localize_plausibly(volume: CTVolume, model: LoadedModel, device: str) -> SpineCurve:
    """The spine's curve in a volume whose voxels and values can be those of a patient.

    Args:
        volume: in canonical order.
        model: bundle of role "spine".
        device: where its network is.

    Raises:
        NotEvaluableError: they cannot, there is no spine, or only in a patient who is turned
            round: then the images do not say how the patient lies.
    """
    require_possible_voxels(volume)
    require_hu(volume)
    try:
        return localize_spine(volume, model, device)
    except NotEvaluableError:
        turned = CTVolume(np.ascontiguousarray(volume.hu[:, ::-1, ::-1]), volume.affine)
        localize_spine(turned, model, device)  # raises where there is no spine at all
        raise NotEvaluableError(
            Reason.ORIENTATION_IMPLAUSIBLE.code, "a spine is seen only back to front"
        ) from None


def plausible_notes(volume: CTVolume, bodies: Bodies) -> tuple[Reason, ...]:
    """Notes that the result must carry on the spine as a whole.

    Raises:
        NotEvaluableError: these are no bodies of a person who lies as the images say.
    """
    require_human_size(bodies.keypoints_mm, bodies.levels.likely)
    require_front_before_back(volume, bodies.keypoints_mm)
    return coverage_notes(volume, bodies.keypoints_mm, bodies.levels.likely)
