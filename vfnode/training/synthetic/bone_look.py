"""Densities and proportions of a patient's vertebrae."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoneLook:
    """Densities and proportions of one patient's vertebrae."""

    trabecular_hu: float  #: 40 in osteoporosis to 300 in the young; T12-L1, QCT literature
    cortex_hu: float
    cortex_mm: float  #: endplate and wall thickness
    disc_hu: float
    texture_hu: float  #: standard deviation of the trabecular pattern
    canal_depth: float = 1.0  #: of the spinal canal, relative to the mean
    arch: float = 1.0  #: thickness of pedicles, facets and laminae, relative to the mean
    process: float = 1.0  #: length of the processes, relative to the mean
    taper: float = 0.4  #: share of its width that a thoracic body loses towards the front
    roundness: float = 2.5  #: exponent of the cross-section: 2 an oval, more a rounded box
    notch_mm: float = 1.5  #: how far the back wall's sides reach behind its middle
    cement_levels: frozenset[str] = frozenset()  #: filled by vertebroplasty
    vacuum_discs: frozenset[str] = frozenset()  #: gas in the disc below these levels


def sample_bone_look(rng: np.random.Generator, levels: tuple[str, ...]) -> BoneLook:
    """Random bone; wide, since real CT differ in tube voltage and kernel.

    The proportions vary more than people do: the centre of the body must be told from
    the body, not from a distance to the arch.
    """
    old = rng.random() < 0.5
    return BoneLook(
        trabecular_hu=float(rng.uniform(20, 150) if old else rng.uniform(120, 350)),
        cortex_hu=float(rng.uniform(350, 1100)),
        cortex_mm=float(rng.uniform(0.5, 1.6)),
        disc_hu=float(rng.uniform(50, 130)),
        texture_hu=float(rng.uniform(5, 45)),
        canal_depth=float(rng.uniform(0.75, 1.25)),
        arch=float(rng.uniform(0.75, 1.5)),
        process=float(rng.uniform(0.75, 1.3)),
        taper=float(rng.uniform(0.15, 0.9)),
        notch_mm=float(rng.uniform(0.0, 4.5)),
        roundness=float(rng.uniform(2.0, 3.0)),
        cement_levels=frozenset(v for v in levels if rng.random() < 0.004),
        vacuum_discs=frozenset(v for v in levels if rng.random() < 0.06),
    )
