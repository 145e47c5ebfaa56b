"""Images cut from real CT: variation, segmentation, files."""

import io
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from vfnode.durable_files import write_whole


def varied(rng: np.random.Generator, hu: np.ndarray) -> np.ndarray:
    """Slight blur, noise and errors of calibration: the scanner has done the rest already."""
    image = hu.astype(np.float32)
    sigma = 0.7 * rng.random() ** 2
    if sigma > 0.2:
        image = gaussian_filter(image, sigma)
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(25 * rng.random() ** 2)
    return np.asarray(
        image * np.float32(rng.normal(1, 0.04)) + np.float32(rng.normal(0, 12)) + noise
    )


def inside_hexagon(keypoints: np.ndarray, places: np.ndarray) -> np.ndarray:
    """True for places (..., 2) inside the hexagon on the keypoints (3, 2, 2); even-odd rule."""
    ring = np.concatenate([keypoints[:, 0], keypoints[::-1, 1]])
    inside = np.zeros(places.shape[:-1], bool)
    for (x0, z0), (x1, z1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if z0 == z1:
            continue
        across = (z0 > places[..., 1]) != (z1 > places[..., 1])
        inside ^= across & (places[..., 0] < x0 + (places[..., 1] - z0) * (x1 - x0) / (z1 - z0))
    return inside


def keep(path: Path, content: dict[str, np.ndarray]) -> None:
    """Write arrays so that a killed run leaves either all of them or none."""
    buffer = io.BytesIO()
    np.savez(buffer, **content)  # type: ignore[arg-type]  # its stub knows no names
    write_whole(path, buffer.getvalue())
