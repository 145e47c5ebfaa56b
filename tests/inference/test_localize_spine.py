"""Localising the spine."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.reference_cases import ABSENT, CASES, ReferenceCase
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.nifti import read_nifti
from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import LoadedModel, ModelManifest, load_bundle, models_dir
from vfnode.inference.localize_spine import localize_spine
from vfnode.networks.spine_localizer import SpineMaps
from vfnode.spine.volume import CTVolume
from vfnode.training.spine.held_out import curve_error
from vfnode.training.synthetic.chest_ct import synthesize_chest_ct

MANIFEST = ModelManifest(
    name="spine",
    role="spine",
    architecture="spine_localizer",
    arguments={},
    spacing_mm=(4.0, 2.0, 2.0),
    window_hu=(-400.0, 800.0),
    normalisation="window",
    seed=0,
    generator_version="test",
    training={},
    command="none",
)


class _SeesBright(nn.Module):
    """Stands in for the network: a voxel is spine where it is bright."""

    def forward(self, image: torch.Tensor) -> SpineMaps:
        logits = 20.0 * image[:, 0, :, ::2, ::2] - 10.0
        return SpineMaps(logits, logits.amax((2, 3)))


BRIGHT = LoadedModel(_SeesBright().eval(), MANIFEST)


def rod_volume(first: int = 10, last: int = 70) -> CTVolume:
    """A leaning rod of bone, 12 mm wide, from slice `first` to `last`; 3 x 1.5 x 1.5 mm."""
    k, r, c = np.ogrid[:90, :80, :100]
    rod = (r - 40) ** 2 + (c - 30 - 0.3 * k) ** 2 < 4**2
    hu = np.where(rod & (k >= first) & (k <= last), 1000, -200).astype(np.int16)
    affine = np.array([[0, 0, 1.5, -80], [0, 1.5, 0, 20], [-3.0, 0, 0, 500], [0, 0, 0, 1]])
    return CTVolume(hu, affine)


def test_the_curve_follows_the_column_in_patient_coordinates() -> None:
    """Points lie on the rod's axis, from 12 mm above its first to 12 mm below its last slice."""
    points = localize_spine(rod_volume(), BRIGHT).points_mm

    k = (500 - points[:, 2]) / 3
    aside = points[:, :2] - np.stack([-80 + 1.5 * (30 + 0.3 * k), 0 * k + 80], 1)
    assert np.abs(aside).mean() < 0.3
    assert np.abs(aside).max() < 2.0  # at the drawn-on ends
    assert points[0, 2] == pytest.approx(500 - 3 * 10 + 12, abs=5)
    assert points[-1, 2] == pytest.approx(500 - 3 * 70 - 12, abs=5)


def test_the_orientation_of_the_voxels_does_not_matter() -> None:
    """A sagittal, caudal-first volume gives the same curve."""
    axial = rod_volume()
    turned = axial.affine[:, [2, 0, 1, 3]].copy()
    turned[:3, 3] += turned[:3, 1] * (axial.hu.shape[0] - 1)
    turned[:3, 1] *= -1
    sagittal = CTVolume(axial.hu.transpose(2, 0, 1)[:, ::-1], turned)

    wanted = localize_spine(axial, BRIGHT).points_mm
    assert np.allclose(localize_spine(sagittal, BRIGHT).points_mm, wanted, atol=1e-6)


def test_no_bone_is_a_coded_reason() -> None:
    """A volume without a column is not evaluable, with the code of the report."""
    with pytest.raises(NotEvaluableError) as raised:
        localize_spine(rod_volume(first=10, last=11), BRIGHT)

    assert raised.value.code == "no-spine"


def test_one_bright_slice_apart_does_not_lengthen_the_column() -> None:
    """A chance hit of a single slice far from the column is left out of the limits."""
    volume = rod_volume(first=40)
    hu = volume.hu.copy()
    hu[4, 35:45, 25:40] = 1000

    points = localize_spine(CTVolume(hu, volume.affine.copy()), BRIGHT).points_mm

    assert points[0, 2] == pytest.approx(500 - 3 * 40 + 12, abs=5)


@pytest.fixture(scope="module")
def shipped() -> LoadedModel:
    return load_bundle(models_dir() / "spine")


def test_the_shipped_model_finds_a_synthetic_spine(shipped: LoadedModel) -> None:
    """A synthetic chest CT of a seed outside training: within 3 mm over 90 % of its column."""
    truth = synthesize_chest_ct(950_001, spacing_mm=(2.0, 1.2, 1.2))

    error = curve_error(localize_spine(truth.volume, shipped), truth)

    assert error.distance_mm < 3.0
    assert error.covered > 0.9
    assert error.beyond_mm < 25.0


def test_the_shipped_model_finds_no_spine_in_air(shipped: LoadedModel) -> None:
    """An empty field of view is refused."""
    with pytest.raises(NotEvaluableError):
        localize_spine(
            CTVolume(np.full((40, 64, 64), -1000, np.int16), np.diag([3, 3, 3, 1.0])), shipped
        )


def read(case: ReferenceCase) -> CTVolume:
    """The case's CT, DICOM or NIfTI."""
    if case.images.is_dir():
        (series,) = read_ct_series(sorted(case.images.rglob("*.dcm")))
        return series.volume
    return read_nifti(case.images)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_real_spines_are_followed_within_three_millimetres(
    case: ReferenceCase, shipped: LoadedModel
) -> None:
    """Against the hand-read curve of public CT; the column that was read is covered."""
    if not case.present:
        pytest.skip(ABSENT)

    found = localize_spine(read(case), shipped).points_mm

    figures = compare_curves(found, np.array(case.reading["curve_patient_mm"]))
    assert figures["distance_mm"] < 3.0
    assert figures["covered"] > 0.9


def compare_curves(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Mean in-plane distance at equal z, and the covered share of the reading's height."""
    found, wanted = found[np.argsort(found[:, 2])], wanted[np.argsort(wanted[:, 2])]
    z = np.arange(max(found[0, 2], wanted[0, 2]), min(found[-1, 2], wanted[-1, 2]))
    at = [np.stack([np.interp(z, c[:, 2], c[:, k]) for k in (0, 1)], 1) for c in (found, wanted)]
    return {
        "distance_mm": float(np.linalg.norm(at[0] - at[1], axis=1).mean()),
        "covered": float((z[-1] - z[0]) / (wanted[-1, 2] - wanted[0, 2])),
    }
