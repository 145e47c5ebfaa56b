"""A CT as numbers: Hounsfield units and where each voxel lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from vfnode.errors import GeometryError

FloatArray = npt.NDArray[np.float64]
AIR_HU = -1000


BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CTVolume:
    """One CT series on a regular grid, and where on it there are images.

    Raises:
        GeometryError: ``hu`` is not three-dimensional, ``affine`` cannot be inverted, or
            ``is_image`` does not fit its axis.
    """

    hu: npt.NDArray[np.int16]  #: (K, R, C) slices, rows, columns
    affine: FloatArray  #: (4, 4) voxel (k, r, c, 1) -> patient LPS mm
    #: Whether data were there, at every place along the axis of the slices; empty: everywhere.
    is_image: BoolArray = field(default_factory=lambda: np.ones(0, bool))
    slice_axis: int = 0  #: of ``hu``, along which ``is_image`` runs

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or min(self.hu.shape) < 1:  # noqa: PLR2004 - a volume has three axes
            raise GeometryError(f"a CT volume has three axes, not shape {self.hu.shape}")
        if self.affine.shape != (4, 4) or not np.all(np.isfinite(self.affine)):
            raise GeometryError("the affine must be a finite 4 x 4 matrix")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:  # noqa: PLR2004 - no volume left
            raise GeometryError("the affine is singular: two voxel axes point the same way")
        if self.is_image.size == 0:
            object.__setattr__(self, "is_image", np.ones(self.hu.shape[self.slice_axis], bool))
        if self.is_image.shape != (self.hu.shape[self.slice_axis],):
            raise GeometryError(f"{self.is_image.shape} places along an axis of {self.hu.shape}")
        self.hu.setflags(write=False)
        self.affine.setflags(write=False)
        self.is_image.setflags(write=False)

    @property
    def spacing_mm(self) -> FloatArray:
        """Distance of neighbouring voxels along (k, r, c), mm; shape (3,)."""
        spacing: FloatArray = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing

    def canonical(self) -> CTVolume:
        """Same voxels with k cranial -> caudal, r anterior -> posterior, c right -> left.

        Axes are permuted and flipped, never resampled: the view shares memory.
        """
        unit = self.affine[:3, :3] / self.spacing_mm
        wanted = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # k, r, c in LPS
        alignment = wanted @ unit  # (wanted axis, present axis)
        order = _best_permutation(np.abs(alignment))
        matrix = self.affine.copy()
        matrix[:, :3] = self.affine[:, order]
        hu, is_image, slice_axis = (
            self.hu.transpose(order),
            self.is_image,
            order.index(self.slice_axis),
        )
        for axis in range(3):
            if alignment[axis, order[axis]] < 0:
                matrix[:3, 3] += matrix[:3, axis] * (hu.shape[axis] - 1)
                matrix[:3, axis] *= -1
                hu = np.flip(hu, axis)
                is_image = np.flip(is_image) if axis == slice_axis else is_image
        return CTVolume(hu, matrix, is_image, slice_axis)

    def to_voxel(self, points_mm: FloatArray) -> FloatArray:
        """Patient points (..., 3) in LPS mm -> voxel coordinates (k, r, c), same shape."""
        inverse = np.linalg.inv(self.affine)
        voxel: FloatArray = points_mm @ inverse[:3, :3].T + inverse[:3, 3]
        return voxel

    def to_patient(self, voxels: FloatArray) -> FloatArray:
        """Voxel coordinates (..., 3) as (k, r, c) -> patient LPS mm, same shape."""
        points: FloatArray = voxels @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points

    def contains(self, points_mm: FloatArray) -> npt.NDArray[np.bool_]:
        """True for patient points (..., 3) between the outermost voxel centres."""
        voxel = self.to_voxel(points_mm)
        last = np.array(self.hu.shape) - 1
        inside: npt.NDArray[np.bool_] = np.all((voxel >= 0) & (voxel <= last), axis=-1)
        return inside

    def shows(self, points_mm: FloatArray) -> BoolArray:
        """True for patient points (..., 3) within the volume and between images."""
        place = self.to_voxel(points_mm)[..., self.slice_axis]
        last = len(self.is_image) - 1
        before, after = (
            self.is_image[np.clip(end(place).astype(int), 0, last)] for end in (np.floor, np.ceil)
        )
        return np.asarray(self.contains(points_mm) & before & after)

    def sample(self, points_mm: FloatArray, outside: float = AIR_HU) -> npt.NDArray[np.float32]:
        """Trilinear HU at patient points (..., 3) in LPS mm; ``outside`` beyond the volume."""
        voxel = np.moveaxis(self.to_voxel(points_mm), -1, 0)
        low = np.clip(np.floor(voxel.reshape(3, -1).min(1)).astype(int), 0, None)
        high = np.ceil(voxel.reshape(3, -1).max(1)).astype(int) + 2
        box = self.hu[tuple(slice(a, max(b, a + 1)) for a, b in zip(low, high, strict=True))]
        if box.size == 0:
            return np.full(voxel.shape[1:], outside, np.float32)
        shifted = voxel - low.reshape(3, *([1] * (voxel.ndim - 1)))
        values: npt.NDArray[np.float32] = map_coordinates(
            box, shifted, output=np.float32, order=1, mode="constant", cval=outside, prefilter=False
        )
        return values


def _best_permutation(strength: FloatArray) -> list[int]:
    """Present axis for each wanted axis: the assignment with the largest total alignment."""
    orders = ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0])
    return max(orders, key=lambda order: sum(strength[i, axis] for i, axis in enumerate(order)))
