"""Effects of scanners, kernels and slice thickness on an image; drawn anew at every reading."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter1d

from vfnode.training.synthetic.plane.texture import grain, wobble

AIR_HU = -1000.0
_FEWEST_SLICES = 2


@dataclass(frozen=True)
class Degraded:
    """An image as a scanner would have made it."""

    hu: np.ndarray  #: (rows, columns) float32
    clean: np.ndarray  #: the same without noise and streaks


def degrade(rng: np.random.Generator, hu: np.ndarray, step_mm: float) -> Degraded:
    """Blur, thick slices, noise, streaks, sharpening and calibration error.

    Args:
        rng: the only source of randomness.
        hu: (rows, columns); rows run along the patient's axis.
        step_mm: size of a pixel.

    Returns:
        New images of the same shape; edges stay where they were.
    """
    clean = _slices(rng, _point_spread(rng, hu.astype(np.float32), step_mm), step_mm)
    if rng.random() < 0.12:
        clean = _coarse_grid(rng, clean, step_mm)
    noise = _noise(rng, (hu.shape[0], hu.shape[1]), step_mm)
    if rng.random() < 0.3:
        sigma, amount = rng.uniform(0.7, 1.5) / step_mm, rng.uniform(0.2, 1.2)
        clean, noise = (
            part + amount * (part - gaussian_filter(part, sigma)) for part in (clean, noise)
        )
    gain, offset = rng.normal(1, 0.06), rng.normal(0, 20)
    shown, noisy = clean * gain + offset, (clean + noise) * gain + offset
    return Degraded(*(np.clip(part, -1024, 3071).astype(np.float32) for part in (noisy, shown)))


def _point_spread(rng: np.random.Generator, image: np.ndarray, step_mm: float) -> np.ndarray:
    sigma = rng.uniform(0.25, 1.1)
    blurred = gaussian_filter(image, (0.3 * sigma / step_mm, sigma / step_mm))
    if rng.random() < 0.35:  # an edge cut at an angle by the slab softens
        more = rng.uniform(0.3, 1.0) / step_mm
        blurred = gaussian_filter(blurred, (more, more))
    return np.asarray(blurred)


def _slices(rng: np.random.Generator, image: np.ndarray, step_mm: float) -> np.ndarray:
    """Mean over the slice thickness, sampled at the slice interval, linear in between."""
    thin, usual, thick_mm = rng.uniform(0.6, 1.5), rng.uniform(1.5, 3.2), rng.uniform(3.2, 5)
    thickness = float(rng.choice([thin, usual, thick_mm], p=[0.3, 0.35, 0.35]))
    interval = thickness * float(rng.choice([1.0, rng.uniform(0.5, 1.0)]))
    thick = average_over(image, thickness, step_mm)
    pitch = interval / step_mm
    if pitch <= 1:
        return thick
    centres = np.arange(rng.uniform(0, pitch), len(image) - 0.5, pitch).round().astype(int)
    if len(centres) < _FEWEST_SLICES:
        return thick
    rows = np.arange(len(image))
    low = np.clip(np.searchsorted(centres, rows) - 1, 0, len(centres) - 2)
    part = np.clip((rows - centres[low]) / (centres[low + 1] - centres[low]), 0, 1)
    part = part[:, None].astype(np.float32)
    return np.asarray(thick[centres[low]] * (1 - part) + thick[centres[low + 1]] * part)


def average_over(image: np.ndarray, thickness_mm: float, step_mm: float) -> np.ndarray:
    """Mean over a slice thickness; an even window would move the image by half a pixel."""
    size = max(1, round(thickness_mm / step_mm))
    if size % 2:
        return np.asarray(uniform_filter1d(image, size, axis=0))
    smaller, larger = (uniform_filter1d(image, size + change, axis=0) for change in (-1, 1))
    return np.asarray((smaller + larger) / 2)


def _noise(rng: np.random.Generator, shape: tuple[int, int], step_mm: float) -> np.ndarray:
    level = float(np.exp(rng.uniform(np.log(3), np.log(75))))
    across = rng.uniform(0.25, 0.9) / step_mm
    noise = level * grain(rng, shape, (across * rng.uniform(0.4, 1.5), across))
    if rng.random() < 0.25:  # streaks run across the body, strongest at the shoulders
        streaks = grain(rng, shape, (rng.uniform(0.5, 2) / step_mm, 25 / step_mm))
        where = np.clip(wobble(rng, shape[0], 40 / step_mm), 0, 2)[:, None]
        noise = noise + rng.uniform(5, 40) * streaks * where
    return np.asarray(noise, np.float32)


def _coarse_grid(rng: np.random.Generator, image: np.ndarray, step_mm: float) -> np.ndarray:
    """Blur of a volume that was resampled to a coarse grid, as 3 mm research data are."""
    sigma = rng.uniform(0.8, 1.5) / step_mm
    return np.asarray(gaussian_filter1d(gaussian_filter1d(image, sigma, axis=0), sigma, axis=1))


def cut_field_of_view(
    rng: np.random.Generator, hu: np.ndarray, step_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fill what lies outside a slanted field of view with air, as at the ends of a volume.

    Returns:
        The image, and what of it is still seen (bool, same shape).
    """
    outside = np.zeros(hu.shape, bool)
    rows, columns = np.indices(hu.shape)
    little, much = rng.uniform(0, 0.12), rng.uniform(0, 0.45)
    depth = hu.shape[0] * rng.choice([little, much], 2, p=[0.75, 0.25])
    slope = rng.normal(0, 0.25, 2)
    middle = columns - hu.shape[1] / 2
    fill = AIR_HU if rng.random() < 0.7 else float(rng.choice([-1024, -2048, 0]))
    if rng.random() < 0.5:
        outside |= rows < depth[0] + slope[0] * middle
    if rng.random() < 0.5:
        outside |= rows > hu.shape[0] - depth[1] + slope[1] * middle
    if rng.random() < 0.25:
        outside |= middle < -rng.uniform(30, 75) / step_mm + rng.normal(0, 0.1) * rows
        if rng.random() < 0.6:
            outside |= middle > rng.uniform(30, 75) / step_mm
    return np.where(outside, np.float32(fill), hu), ~outside
