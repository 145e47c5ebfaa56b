"""Look of one synthetic patient's tissues, drawn once for a whole image."""

from dataclasses import dataclass

import numpy as np

from vfnode.training.synthetic.plane.texture import grain, wobble

_OSTEOPENIC = 0.4  #: shares of the patients
_THIN_ENDPLATES = 0.35
_DENSE_DISCS = 0.25
_BRIDGING = 0.2


@dataclass(frozen=True)
class Patient:
    """Densities, thicknesses and textures; HU and mm."""

    trabecular_hu: float
    cortical_hu: float
    endplate_mm: float
    wall_mm: float
    disc_hu: float
    muscle_hu: float
    fat_hu: float
    vessel_hu: float
    marrow_texture_hu: float
    osteophyte_share: float  #: how much of the drawn osteophytes this patient has
    bridging: bool  #: ossified anterior ligament over several levels (DISH)
    off_midline_mm: np.ndarray  #: (60,) distance of the plane from the midline along the column
    fine: np.ndarray  #: unit-variance texture of the image's shape, grain of trabeculae
    coarse: np.ndarray  #: the same, grain of 4 mm

    def off_midline(self, fraction: float) -> float:
        """Distance of the image plane from the midline, fraction 0 cranial to 1 caudal."""
        return float(np.interp(fraction, np.linspace(0, 1, 60), self.off_midline_mm))


def sample_patient(rng: np.random.Generator, shape: tuple[int, int], step_mm: float) -> Patient:
    """Draw a patient; textures fit an image of `shape` with pixels of `step_mm`."""
    trabecular = _trabecular_hu(rng)
    swing = rng.choice([1.5, 5.0, 12.0], p=[0.55, 0.3, 0.15])
    fine = 0.7 * grain(rng, shape, (0.9 / step_mm, 0.35 / step_mm))
    return Patient(
        trabecular_hu=trabecular,
        cortical_hu=float(np.clip(rng.normal(650, 220), 300, 1400) + 0.4 * trabecular),
        endplate_mm=_endplate_mm(rng),
        wall_mm=float(rng.uniform(0.4, 1.2)),
        disc_hu=_disc_hu(rng, trabecular),
        muscle_hu=float(rng.normal(50, 15)),
        fat_hu=float(rng.normal(-95, 12)),
        vessel_hu=float(rng.choice([rng.normal(42, 8), rng.uniform(110, 420)])),
        marrow_texture_hu=float(rng.uniform(8, 60)),
        osteophyte_share=float(rng.choice([0.1, 0.6, 1.0, 1.4], p=[0.35, 0.25, 0.3, 0.1])),
        bridging=bool(rng.random() < _BRIDGING),
        off_midline_mm=np.abs(rng.normal(0, swing) + 0.8 * swing * wobble(rng, 60, 12)),
        fine=fine + 0.7 * grain(rng, shape, (2.5 / step_mm, 0.6 / step_mm)),
        coarse=grain(rng, shape, (4 / step_mm, 4 / step_mm)),
    )


def _trabecular_hu(rng: np.random.Generator) -> float:
    """Four in ten are osteopenic or osteoporotic, who fracture (Pickhardt 2013: below 110 HU)."""
    mean, deviation = (80, 30) if rng.random() < _OSTEOPENIC else (150, 75)
    return float(np.clip(rng.normal(mean, deviation), 5, 450))


def _endplate_mm(rng: np.random.Generator) -> float:
    """0.4 to 1.3 mm; thinner ones vanish in thick slices, so that no bright line shows the end."""
    thin = rng.random() < _THIN_ENDPLATES
    return float(rng.uniform(0.15, 0.45) if thin else rng.uniform(0.4, 1.3))


def _disc_hu(rng: np.random.Generator, trabecular_hu: float) -> float:
    """85 HU; in some as dense as the marrow, so that only the endplates part disc and body."""
    if rng.random() < _DENSE_DISCS:
        return float(np.clip(trabecular_hu * rng.uniform(0.8, 1.15), 50, 170))
    return float(rng.normal(85, 20))
