"""Random fields: noise of a given grain, smooth wobbling lines."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d


def grain(
    rng: np.random.Generator, shape: tuple[int, int], sigma_px: tuple[float, float]
) -> np.ndarray:
    """Gaussian noise of unit variance, correlated over `sigma_px` (rows, columns)."""
    noise = rng.standard_normal(shape, np.float32)
    smooth = gaussian_filter(noise, sigma_px, mode="wrap")
    smooth = smooth - smooth.mean()
    return np.asarray(smooth / (smooth.std() + 1e-6))


def wobble(rng: np.random.Generator, count: int, grain_points: float) -> np.ndarray:
    """Smooth random line of unit standard deviation, (count,)."""
    line = gaussian_filter1d(rng.standard_normal(count + 8), grain_points, mode="wrap")[:count]
    line = line - line.mean()
    return np.asarray(line / (line.std() + 1e-6))
