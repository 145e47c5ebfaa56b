"""Thin CT averaged to thick slices: one truth for every thickness."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.evaluation.factories import body, box, column, empty_volume
from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets import adapter_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.datasets.thin import TRUSTED_MM, trusted
from vfnode.evaluation.thick_slices import Averaging, averaged, averagings
from vfnode.evaluation.warp import UNIFORM, Deformation, warp_of
from vfnode.spine.volume import CTVolume
from vfnode.training.site_data import SiteData

SEEN = Reading(tuple(Body.of_keypoints(box(25.0 - 25 * i), f"T{9 + i}") for i in range(3)))


def seen(volume: CTVolume) -> Reading:
    """What the models see on the thin phantom: three bodies, stated to be good to 1 mm."""
    return Reading(tuple(_sure(one) for one in SEEN.bodies))


def _sure(one: Body, uncertainty_mm: float = 1.0) -> Body:
    return Body(
        one.centre_mm, one.keypoints_mm, one.level, uncertainty_mm=np.full(3, uncertainty_mm)
    )


OPTIONS = Options(lambda _: (empty_volume(), column(1.0, 1.0)), seen, rounds=3)


def write_ct(folder: Path, slice_mm: float = 1.0) -> Path:
    """Three bodies of bone, 20 mm high, at z 25, 0 and -25 mm, without a reading."""
    hu = np.full((61, 61, round(121 / slice_mm)), 60, np.int16)
    z = -60 + slice_mm * np.arange(hu.shape[2])
    for middle in (25, 0, -25):
        hu[15:46, 19:42, np.abs(z - middle) <= 10] = 300
    affine = np.diag([1.0, 1.0, slice_mm, 1.0])
    affine[:3, 3] = -30, -30, -60
    path = folder / "anna.nii.gz"
    nibabel.save(nibabel.Nifti1Image(hu, affine), path)
    return path


def cases_of(dataset: str) -> list[Case]:
    adapter, source = adapter_of(dataset)
    return list(adapter.cases(source, OPTIONS))


def loaded(case: Case) -> tuple[CTVolume, Reading]:
    assert case.load is not None
    return case.load()


def test_slices_of_1_mm_give_four_thicknesses_in_up_to_three_phases():
    """Of two slices there are two phases; the CT as it is comes first."""
    found = averagings(1.0)

    assert found[0] == Averaging(1)
    assert [(one.count, one.phase) for one in found[1:]] == [
        *((2, 0), (2, 1)),
        *((3, 0), (3, 1), (3, 2)),
        *((4, 0), (4, 1), (4, 2)),
        *((5, 0), (5, 1), (5, 3)),
    ]


def test_a_thickness_that_whole_slices_miss_is_left_out():
    """Slices of 1.5 mm give 3 mm and 4.5 mm, and nothing near 2, 4 or 5."""
    assert {one.count for one in averagings(1.5)} == {1, 2}


def test_slices_that_are_not_thin_are_not_averaged():
    assert averagings(2.5) == ()


def test_averaged_slices_are_means_at_their_middle():
    """Slices 1, 2 and 3 of a ramp become one of value 2 where slice 2 was."""
    ramp = np.repeat(np.arange(10, dtype=np.int16)[:, None, None], 4, 1).repeat(4, 2)
    thin = CTVolume(ramp, empty_volume().affine)

    thick = averaged(thin, Averaging(3, 1))

    assert thick.hu[:, 0, 0].tolist() == [2, 5, 8]
    middles = thin.to_patient(np.array([[2.0, 0, 0], [5, 0, 0], [8, 0, 0]]))
    places = thick.to_patient(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]))
    np.testing.assert_allclose(places, middles)


def test_the_longest_run_of_good_bodies_is_trusted():
    """Between two bodies that count nothing may be unknown; of the others the place is kept."""
    doubtful = TRUSTED_MM + 0.1
    stated = (1.0, doubtful, 1.0, 1.0, doubtful)
    found = Reading(tuple(_sure(body(-25.0 * i), mm) for i, mm in enumerate(stated)))

    kept = trusted(found)

    assert [one.keypoints_mm is not None for one in kept.bodies] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert [one.complete for one in kept.bodies] == [False, False, True, True, False]
    assert kept.bodies[1].centre_mm.tolist() == found.bodies[1].centre_mm.tolist()


def test_what_the_models_see_on_the_thin_ct_is_the_truth_of_every_thickness(tmp_path):
    """A folder of CT is enough: nobody has read them."""
    write_ct(tmp_path)

    cases = cases_of(f"thin:{tmp_path}")
    volume, reading = loaded(cases[-1])

    assert {case.tags["averaged to"] for case in cases} == {f"{n} mm" for n in range(1, 6)}
    assert {case.patient for case in cases} == {"anna"}
    assert volume.spacing_mm[0] == pytest.approx(5.0)
    assert [one.level for one in reading.bodies] == ["T9", "T10", "T11"]
    middle = reading.bodies[1].keypoints_mm
    assert middle is not None
    assert volume.sample(middle.mean((0, 1))[None])[0] == pytest.approx(300)


def test_a_reading_in_the_list_takes_the_place_of_what_is_seen(tmp_path):
    """An entry with a reading has its levels; one without may still name its patient."""
    ct = write_ct(tmp_path)
    points = {
        name: {"superior": list(pair[0]), "inferior": list(pair[1])}
        for name, pair in zip(("anterior", "middle", "posterior"), box(0.0).tolist(), strict=True)
    }
    reading = {"case": "boris", "vertebrae": [{"level": "L1", "keypoints_patient_mm": points}]}
    (tmp_path / "boris.json").write_text(json.dumps(reading))
    entries = [
        {"reading": "boris.json", "images": ct.name, "attribution": "Boris' CT, CC BY 4.0"},
        {"case": "clara", "images": ct.name},
    ]
    (tmp_path / "list.json").write_text(json.dumps(entries))

    cases = cases_of(f"thin:{tmp_path / 'list.json'}")

    assert [one.level for one in loaded(cases[0])[1].bodies] == ["L1"]
    assert [one.level for one in loaded(cases[-1])[1].bodies] == ["T9", "T10", "T11"]
    assert {case.patient for case in cases} == {"boris", "clara"}
    assert {case.attribution for case in cases} == {"Boris' CT, CC BY 4.0", ""}


def test_deformed_bodies_are_averaged_after_the_warp(tmp_path):
    """Each round has a thickness of its own; deformed bodies are lower than the seen ones."""
    write_ct(tmp_path)

    found = [loaded(case) for case in cases_of(f"thin-semi-real:{tmp_path}")]

    assert len({volume.spacing_mm[0] for volume, _ in found}) > 1
    lower = [one for _, reading in found for one in reading.bodies if one.heights_mm.min() < 19]
    assert lower
    assert all(one.group not in ("", "undeformed") for one in lower)


def test_a_uniform_crush_leaves_the_height_ratio_as_it_was():
    """Every height of the body becomes the wanted share; its neighbours keep theirs."""
    points = np.array([box(25.0 - 25 * i) for i in range(3)])

    moved = warp_of(points, 1, Deformation(UNIFORM, 0.6, closing=1.0)).forward(points)

    heights = np.linalg.norm(moved[:, :, 0] - moved[:, :, 1], axis=-1)
    np.testing.assert_allclose(heights[1], 12.0, atol=0.01)
    np.testing.assert_allclose(heights[[0, 2]], 20.0, atol=0.01)


def test_a_source_without_thin_ct_is_an_error_that_says_so(tmp_path):
    write_ct(tmp_path, slice_mm=2.5)

    with pytest.raises(UnreadableInputError, match=r"1\.6 mm or less"):
        cases_of(f"thin:{tmp_path}")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UnreadableInputError, match="nowhere"):
        cases_of(f"thin:{tmp_path / 'nowhere'}")


def test_thin_ct_teach_without_a_reading(tmp_path, monkeypatch):
    """``vfnode train --data thin:FOLDER``: each thickness is a CT of the same patient to read."""
    from vfnode.cli import training_data  # noqa: PLC0415 - patched

    monkeypatch.setattr(training_data, "_shipped_reading", lambda: seen)
    write_ct(tmp_path)

    site: SiteData = training_data.site_data([f"thin:{tmp_path}"], 0.5, None, 1, 1)

    assert {ct.patient for ct in site.cases} == {"anna"}
    assert len({ct.key for ct in site.cases}) == len(site.cases) == 12
    thick = site.cases[-1].load()
    assert thick.keypoints_mm.shape == (3, 3, 2, 3)
    assert thick.volume.spacing_mm[0] == pytest.approx(5.0)
