"""Values of a volume as Hounsfield units: air, fat and soft tissue at their place.

Measured on the eleven CT of ../shared/data (chest, abdomen, pelvis, crops of the spine; three
makers, two with a sharp kernel or noise): of all voxels above -300 HU, fat (-150 to -30) is 16 to
42 % and soft tissue (-30 to 130) 32 to 67 %; where a twentieth of the volume or more is below
-300, a tenth of that is below -795 at least.
"""

from __future__ import annotations

import numpy as np

from vfnode.errors import NotEvaluableError
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume

SAMPLES = 3_000_000  #: voxels that are looked at
TISSUE_HU = -300  #: above it: no air, no lung
FAT_HU, SOFT_HU = (-150, -30), (-30, 130)
FAT_SHARE, SOFT_SHARE = 0.03, 0.10  #: least share of tissue
AIR_SHARE = 0.05  #: of a volume; with less there is no telling where air lies
AIR_HU = -650  #: a tenth of what is air or lung lies below it
DENSE_HU, DENSE_SHARE = 700, 0.15  #: bone and metal fill less of any volume
SPREAD_HU = 40.0  #: an empty scan has noise of less


def require_hu(volume: CTVolume) -> None:
    """Refuse a window, a map, or values whose intercept or slope was lost.

    Raises:
        NotEvaluableError: not-hu.
    """
    step = max(1, round((volume.hu.size / SAMPLES) ** (1 / 3)))
    values = volume.hu[::step, ::step, ::step].ravel()
    tissue = values[values > TISSUE_HU]
    if len(tissue) < len(values) / 100:
        if float(values.std()) > SPREAD_HU:
            raise _not_hu("nothing is as dense as tissue")
        return
    if _share(tissue, FAT_HU) < FAT_SHARE:
        raise _not_hu("there is no fat")
    if _share(tissue, SOFT_HU) < SOFT_SHARE:
        raise _not_hu("there is no soft tissue")
    if np.mean(values > DENSE_HU) > DENSE_SHARE:
        raise _not_hu("too much is as dense as bone")
    airy = values[values <= TISSUE_HU]
    if len(airy) >= AIR_SHARE * len(values) and np.percentile(airy, 10) > AIR_HU:
        raise _not_hu("air is too dense")


def _share(values: np.ndarray, limits: tuple[int, int]) -> float:
    return float(np.mean((values >= limits[0]) & (values < limits[1])))


def _not_hu(why: str) -> NotEvaluableError:
    return NotEvaluableError(Reason.NOT_HU.code, f"{why} where Hounsfield units have it")
