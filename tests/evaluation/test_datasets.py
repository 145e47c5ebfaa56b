"""Every kind of data set gives cases of one form."""

import json
from datetime import UTC, datetime

import nibabel
import numpy as np
import pytest

from tests.evaluation.factories import Remembered, box, column, empty_volume
from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series
from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import UNDEFORMED
from vfnode.evaluation.datasets import ADAPTERS, adapter_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.datasets.synthetic import request
from vfnode.evaluation.results import measure_all
from vfnode.spine.vertebra import COLUMNS, ENDS

OPTIONS = Options(
    lambda _: (empty_volume(), column(1.0, 1.0)), lambda _: column(1.0, 1.0), rounds=2
)


def named(keypoints):
    return {
        column_: {end: list(map(float, point)) for end, point in zip(ENDS, pair, strict=True)}
        for column_, pair in zip(COLUMNS, keypoints, strict=True)
    }


@pytest.fixture
def reference_list(tmp_path):
    """A list of one NIfTI with three whole bodies and one that the border cuts."""
    hu = np.full((61, 61, 121), 60, np.int16)
    for middle in (105, 80, 55):  # voxels of the body centres at z 25, 0, -25 mm
        hu[15:46, 19:42, middle - 10 : middle + 11] = 300
    affine = np.array([[1.0, 0, 0, -30], [0, 1.0, 0, -30], [0, 0, 1.0, -80], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(hu, affine), tmp_path / "ct.nii.gz")
    whole = [
        {"level": f"T{9 + i}", "keypoints_patient_mm": named(box(25.0 - 25 * i))} for i in range(3)
    ]
    cut = {
        "level": "T12",
        "complete": False,
        "keypoints_patient_mm": {"anterior": {"superior": [0, -10, -60], "inferior": None}},
    }
    reading = {"case": "one", "curve_patient_mm": [[0, 0, 35], [0, 0, -35]]}
    (tmp_path / "one.json").write_text(json.dumps({**reading, "vertebrae": [*whole, cut]}))
    path = tmp_path / "list.json"
    entry = {"reading": "one.json", "images": "ct.nii.gz", "kernel": "sharp"}
    path.write_text(json.dumps([entry]))
    return path


def cases_of(dataset):
    adapter, source = adapter_of(dataset)
    return list(adapter.cases(source, OPTIONS))


def test_a_reference_list_names_readings_and_their_images(reference_list):
    """Whole bodies carry their points, a cut one only its place; the kernel is a tag."""
    (case,) = cases_of(f"reference:{reference_list}")

    volume, reading = case.load()

    assert volume.hu.shape == (121, 61, 61)
    assert [body.complete for body in reading.bodies] == [True, True, True, False]
    assert reading.bodies[3].centre_mm.tolist() == [0, -10, -60]
    assert case.tags == {"kernel": "sharp"}


def test_semi_real_cases_deform_the_listed_ct_anew_each_round(reference_list):
    """Some bodies are of a named kind and as low as measured, their neighbours are not."""
    first, second = cases_of(f"semi-real:{reference_list}")

    (volume, reading), (_, other) = first.load(), second.load()

    groups = [body.group for body in reading.bodies if body.complete]
    assert UNDEFORMED in groups
    assert set(groups) - {UNDEFORMED}
    for body in reading.bodies[:3]:
        assert (body.ratio < 0.95) == (body.group != UNDEFORMED)
    assert [b.ratio for b in reading.bodies[:3]] != [b.ratio for b in other.bodies[:3]]
    assert first.patient == second.patient
    assert volume.hu.shape == (121, 61, 61)


def test_a_semi_real_case_is_the_same_each_time_it_is_loaded(reference_list):
    """The seed decides, so figures can be made again."""
    case = cases_of(f"semi-real:{reference_list}")[0]

    (volume, reading), (again, read_again) = case.load(), case.load()

    assert np.array_equal(volume.hu, again.hu)
    assert [b.ratio for b in reading.bodies[:3]] == [b.ratio for b in read_again.bodies[:3]]


def test_cancer500_compares_each_expert_with_each_other(tmp_path):
    """Two experts are two cases of one patient, without a CT."""
    voxels = [[[[y, 0, z], [y, 0, z + 20]] for y in (100, 110, 120)] for z in (0, 30)]
    marks = [{"segments": v, "type": f"Th{i + 1}"} for i, v in enumerate(voxels)]
    annotation = {"expert1": marks, "expert2": marks, "expert3": []}
    (tmp_path / "a.json").write_text(json.dumps({"Annotation": annotation}))

    cases = cases_of(f"cancer500:{tmp_path}")
    results = measure_all(cases, None, lambda _: None)

    assert [result.patient for result in results] == ["a", "a"]
    pair = results[0].pairs[0]
    assert pair.truth.level == "T1"
    assert pair.truth.heights_mm == pytest.approx([16.0] * 3)  # 20 slices of 0.8 mm
    points = pair.truth.keypoints_mm
    assert points is not None
    assert points[2, 0, 1] > points[0, 0, 1]  # the back is +y


def test_cancer500_with_its_ct_is_analysed_against_each_expert(tmp_path):
    """Voxels count in the CT itself: slice 10 of 2 mm below z 20 is z 0, row 4 of 5 mm is y -30."""
    marks = [
        {"segments": [[[y, 10, z], [y, 10, z + 4]] for y in (4, 6, 8)], "type": f"Th{i + 1}"}
        for i, z in enumerate((10, 16))
    ]
    content = {"Annotation": {"expert1": marks, "expert2": marks}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "b.json").write_text(json.dumps(content))
    facts = CTSeriesFacts("cancer500", datetime(2026, 1, 2, tzinfo=UTC))
    write_ct_series(empty_volume(), tmp_path / "a", facts)
    adapter, source = adapter_of(f"cancer500:{tmp_path}")

    cases = list(adapter.cases(source, OPTIONS))
    assert cases[0].load is not None
    _, reading = cases[0].load()

    assert adapter.needs_models(source)
    assert [case.name for case in cases] == ["a expert1", "a expert2"]
    assert cases[0].patient == cases[1].patient == "a"
    points = reading.bodies[0].keypoints_mm
    assert points is not None
    assert points[0, 0] == pytest.approx([0.0, -30.0, 0.0])
    assert reading.bodies[0].heights_mm == pytest.approx([8.0] * 3)


@pytest.fixture
def verse(tmp_path):
    """A CT with the mask of one L1: a body 20 mm wide and an arch of 6 mm behind it."""
    labels = np.zeros((60, 60, 90), np.uint8)
    labels[20:40, 30:50, 30:50] = 20  # RAS: +y is anterior
    labels[27:33, 5:30, 37:43] = 20
    labels[20:40, 30:50, 56:76] = 19
    for name, data in (("ct", labels.astype(np.int16)), ("seg-vert_msk", labels)):
        nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / f"sub-1_{name}.nii.gz")
    return tmp_path


def test_verse_masks_give_the_middle_of_the_body_without_its_arch(verse):
    """The body's middle is at (29.5, 39.5, 39.5) in RAS: two signs change in LPS."""
    (case,) = cases_of(f"verse:{verse}")

    _, reading = case.load()

    assert [body.level for body in reading.bodies] == ["T12", "L1"]
    assert reading.bodies[1].centre_mm == pytest.approx([-29.5, -39.5, 39.5], abs=0.6)


def test_verse_centroids_and_grades_are_used_where_there(verse):
    """Centroids count in voxels along the directions that the file names."""
    entries = [{"direction": ["P", "I", "R"]}, {"label": 20, "X": 20, "Y": 49, "Z": 30}]
    (verse / "sub-1_seg-subreg_ctd.json").write_text(json.dumps(entries))
    (verse / "sub-1_fracture.json").write_text(json.dumps({"20": 2}))
    (case,) = cases_of(f"verse:{verse}")

    _, reading = case.load()

    # P 20 of 60 is y 39 in RAS, I 49 of 90 is z 40, R is towards the right as in RAS.
    assert reading.bodies[0].centre_mm == pytest.approx([-30, -39, 40])
    assert reading.bodies[0].grade == 2


def test_synthetic_cases_are_drawn_by_the_generator_passed_in():
    """Each case has its own seed, far from those of trainings."""
    cases = cases_of("synthetic:2")

    results = measure_all(cases, Remembered(column(1.0, 1.0)), lambda _: None)

    assert [len(result.pairs) for result in results] == [2, 2]
    assert request(0, 1).seed != request(1, 1).seed
    assert request(0, 1).seed > 900_000


def test_synthetic_deformities_are_uniform_from_mild_to_severe():
    """Over many patients the ratios fill their range evenly and every kind occurs."""
    drawn = [d for i in range(200) for d in request(i, 1).deformities.values()]

    ratios = np.array([ratio for _, ratio in drawn])
    assert np.histogram(ratios, 3, (0.35, 0.95))[0].min() > len(drawn) / 4
    assert {kind for kind, _ in drawn} == {"wedge", "biconcave", "crush"}


@pytest.mark.parametrize("dataset", ["lidc:folder", "reference", "synthetic:many"])
def test_an_unknown_data_set_is_named_in_the_error(dataset):
    """The error says which data set, so the command line can be mended."""
    with pytest.raises(UnreadableInputError, match=dataset.split(":")[0]):
        cases_of(dataset)


@pytest.mark.parametrize("kind", ["reference", "semi-real", "cancer500", "verse"])
def test_a_missing_source_is_an_error_that_names_it(kind, tmp_path):
    """No traceback for a mistyped path."""
    with pytest.raises(UnreadableInputError, match="missing"):
        cases_of(f"{kind}:{tmp_path / 'missing'}")


def test_every_adapter_says_what_its_figures_are_worth():
    """Synthetic is called synthetic."""
    assert all(adapter.note and adapter.source for adapter in ADAPTERS.values())
    assert "SYNTHETIC" in ADAPTERS["synthetic"].note
