"""Is it a patient, in HU, the right way up, in true size? Real CT, and the same CT changed."""

import numpy as np
import pytest

from tests.reference_cases import ABSENT, CASES, ReferenceCase
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.volume_files import read_volume_file
from vfnode.errors import NotEvaluableError
from vfnode.inference.bundle import load_bundle, models_dir
from vfnode.inference.label_levels import label_levels
from vfnode.spine.curve import SpineCurve
from vfnode.spine.named_columns import points_array
from vfnode.spine.plausible_hu import require_hu
from vfnode.spine.plausible_position import coverage_notes, require_front_before_back
from vfnode.spine.plausible_size import require_human_size, require_possible_voxels
from vfnode.spine.reason import Reason
from vfnode.spine.volume import CTVolume

pytestmark = pytest.mark.skipif(not all(case.present for case in CASES), reason=ABSENT)
CHESTS = [case for case in CASES if case.name.startswith("lidc")]


def names(case: ReferenceCase) -> str:
    return case.name


@pytest.fixture(scope="module")
def volumes():
    """Every CT with a reading, in canonical order, every second voxel across."""
    found = {}
    for case in CASES:
        whole = read_volume_file(case.images) if case.images.is_file() else None
        volume = (whole or read_ct_series([case.images])[0].volume).canonical()
        affine = volume.affine @ np.diag([1.0, 2.0, 2.0, 1.0])
        hu = np.ascontiguousarray(volume.hu[:, ::2, ::2])
        found[case.name] = CTVolume(hu, affine)
    return found


def read_bodies(case: ReferenceCase) -> tuple[np.ndarray, list[str]]:
    """Keypoints (n, 3, 2, 3) and levels of the whole bodies of a reading."""
    whole = [body for body in case.reading["vertebrae"] if body["complete"]]
    points = [points_array(body["keypoints_patient_mm"]) for body in whole]
    return np.array(points), [body["level"] for body in whole]


def changed(volume: CTVolume, hu: np.ndarray) -> CTVolume:
    stored = np.clip(np.rint(hu), -1024, 32767).astype(np.int16)
    return CTVolume(stored, volume.affine)


@pytest.mark.parametrize("case", CASES, ids=names)
def test_no_real_ct_is_suspected(volumes, case):
    """Of its values, its voxels, its sizes, how it lies and how much was found."""
    volume, (points, levels) = volumes[case.name], read_bodies(case)

    require_possible_voxels(volume)
    require_hu(volume)
    require_human_size(points, levels)
    require_front_before_back(volume, points)
    assert coverage_notes(volume, points, levels) == ()


HU_CHANGES = {
    "intercept lost": lambda hu: hu + 1024,
    "a window of 40/400 burnt into 0 to 255": lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255),
    "the same, read with its intercept": lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255) - 1024,
    "a lung window": lambda hu: np.clip((hu + 1350) / 1500 * 255, 0, 255),
    "an iodine map of 0 to 12": lambda hu: np.clip(hu / 30, 0, 12),
}


@pytest.mark.parametrize("change", HU_CHANGES)
@pytest.mark.parametrize("case", CHESTS, ids=names)
def test_values_that_are_no_hu_are_refused(volumes, case, change):
    """Graded, they gave severe fractures."""
    hu = HU_CHANGES[change](volumes[case.name].hu.astype(np.float32))

    with pytest.raises(NotEvaluableError) as refused:
        require_hu(changed(volumes[case.name], hu))

    assert refused.value.code == Reason.NOT_HU.code


@pytest.mark.parametrize(
    "scale",
    [(1, 1, 0.5), (1, 1, 2), (2, 2, 1), (0.6, 0.6, 1), (0.1, 0.1, 0.1), (3, 3, 3)],
    ids=str,
)
@pytest.mark.parametrize("case", CASES[:3], ids=names)
def test_sizes_that_nobody_has_are_refused(case, scale):
    """Half or twice the distance of slices, another PixelSpacing, another unit."""
    points, levels = read_bodies(case)

    with pytest.raises(NotEvaluableError) as refused:
        require_human_size(points * np.array(scale), levels)

    assert refused.value.code == Reason.SCALE_IMPLAUSIBLE.code


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_unit_that_is_no_millimetre_is_refused_before_anything_is_made(volumes, factor):
    """Metres and micrometres: resampled, they would ask for all memory there is."""
    volume = volumes["lidc-0001"]
    affine = np.diag([factor, factor, factor, 1.0]) @ volume.affine

    with pytest.raises(NotEvaluableError) as refused:
        require_possible_voxels(CTVolume(volume.hu, affine))

    assert refused.value.code == Reason.SCALE_IMPLAUSIBLE.code


@pytest.mark.parametrize("case", CASES[:4], ids=names)
def test_a_patient_who_lies_back_to_front_is_refused(volumes, case):
    """Laminae and processes are bone; nothing before the bodies is, on the right."""
    volume, (points, _) = volumes[case.name], read_bodies(case)
    turn = np.diag([-1.0, -1.0, 1.0])
    affine = volume.affine.copy()
    affine[:3] = turn @ affine[:3]
    # The networks would find the same bodies, and take their back for their front.
    turned = (points @ turn)[:, ::-1]

    with pytest.raises(NotEvaluableError) as refused:
        require_front_before_back(CTVolume(volume.hu, affine), turned)

    assert refused.value.code == Reason.ORIENTATION_IMPLAUSIBLE.code


@pytest.fixture(scope="module")
def levels_model():
    return load_bundle(models_dir() / "levels")


@pytest.mark.parametrize("case", CASES[:3], ids=names)
@pytest.mark.parametrize("upside_down", [False, True])
def test_a_patient_on_the_head_is_refused(volumes, levels_model, case, upside_down):
    """Feet first labelled head first; the right way up the levels are named."""
    volume, (points, levels) = volumes[case.name], read_bodies(case)
    turn = np.diag([-1.0, 1.0, -1.0] if upside_down else [1.0, 1.0, 1.0])
    affine = volume.affine.copy()
    affine[:3] = turn @ affine[:3]
    seen = points @ turn
    if upside_down:
        seen = seen[::-1, :, ::-1]
    curve = SpineCurve.from_points(seen.mean((1, 2)))

    def name():
        return label_levels(CTVolume(volume.hu, affine).canonical(), curve, seen, levels_model)

    if upside_down:
        with pytest.raises(NotEvaluableError) as refused:
            name()
        assert refused.value.code == Reason.ORIENTATION_IMPLAUSIBLE.code
    else:
        assert len(name().names) == len(levels)


@pytest.mark.parametrize(
    ("kept", "notes"), [(slice(7, None), (Reason.SPINE_NOT_COVERED,)), (slice(1, None), ())]
)
def test_spine_without_bodies_is_told(volumes, kept, notes):
    """Where the images go on over more than three bodies."""
    points, levels = read_bodies(CASES[0])

    assert coverage_notes(volumes[CASES[0].name], points[kept], levels[kept]) == notes


def test_five_bodies_on_330_mm_are_no_spine(volumes):
    """Less was found than is missing."""
    points, levels = read_bodies(CASES[1])

    with pytest.raises(NotEvaluableError) as refused:
        coverage_notes(volumes[CASES[1].name], points[5:10], levels[5:10])

    assert refused.value.code == Reason.SPINE_NOT_COVERED.code
