"""What is said of each body, counted against what is true."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.evaluation.factories import body, box, column, empty_volume
from vfnode.evaluation import calls
from vfnode.evaluation.cases import Body, Judgement
from vfnode.evaluation.datasets import adapter_of
from vfnode.evaluation.datasets.adapter import Options
from vfnode.evaluation.judgement import confusion, false_calls, judgement_tables
from vfnode.evaluation.probability import calibration_error, reliability, thresholds
from vfnode.evaluation.results import CaseResult, Pair
from vfnode.spine.vertebra import COLUMNS, ENDS


def found(
    grade: int | None, *, borderline: bool = False, probability: float = float("nan")
) -> Body:
    return replace(body(), judgement=Judgement(grade, borderline, probability))


def true(grade: int, level: str = "T8") -> Body:
    return replace(body(level=level), grade=grade)


def result(
    *pairs: tuple[Body, Body],
    missed: tuple[Body, ...] = (),
    tags: dict[str, str] | None = None,
) -> CaseResult:
    return CaseResult(
        "case", "anna", tuple(Pair(*pair) for pair in pairs), missed, (), tags=tags or {}
    )


def test_a_grade_by_a_reader_comes_before_the_heights():
    """Heights of 0.70 that a reader calls normal: physiological wedging."""
    pair = Pair(replace(body(ratio=0.70), grade=0), found(2))

    (one,) = calls.judged([CaseResult("case", "anna", (pair,), (), ())])

    assert one.true_grade == 0
    assert one.is_false_fracture


def test_without_a_reader_the_heights_say_the_grade():
    (one,) = calls.judged([result((body(ratio=0.70), found(2)))])

    assert one.true_grade == 2
    assert not one.is_false_fracture


@pytest.mark.parametrize(
    ("judged", "call"),
    [
        (found(0), "normal"),
        (found(3), "severe"),
        (found(2, borderline=True), "borderline"),
        (found(None), "not graded"),
    ],
)
def test_every_body_has_one_call(judged, call):
    (row,) = confusion([result((true(2), judged))])

    assert {name for name, count in row.counts.items() if count} == {call}


def test_a_missed_body_is_counted_by_its_true_grade():
    (row,) = confusion([result(missed=(true(3),))])

    assert row.name == "severe"
    assert row.counts["missed"] == 1


def test_false_calls_are_named_by_level_for_each_ct():
    """One true fracture found, one called normal, a false moderate, a false mild, a borderline."""
    rows = false_calls(
        [
            result(
                (true(2, "T6"), found(2)),
                (true(2, "T7"), found(0)),
                (true(0, "T8"), found(3)),
                (true(0, "T9"), found(1)),
                (true(0, "T10"), found(2, borderline=True)),
                (true(0, "T11"), found(None)),
            )
        ]
    )

    assert [(row.name, row.bodies, row.graded) for row in rows] == [("anna", 6, 5)]
    assert rows[0].true_fractures == "T6, T7"
    assert rows[0].unseen == "T7"
    assert rows[0].false_fractures == "T8"
    assert rows[0].false_mild == "T9"
    assert rows[0].borderline == "T10"


def test_phases_of_one_thickness_share_a_row():
    """Three phases of 3 mm are one row, which says how often; 5 mm is another."""
    pairs = ((true(0), found(2)),)
    results = [result(*pairs, tags={"averaged to": mm}) for mm in ("3 mm", "3 mm", "5 mm")]

    rows = false_calls(results)

    assert [(row.name, row.false_fractures) for row in rows] == [
        ("anna, 3 mm", "T8 (2)"),
        ("anna, 5 mm", "T8"),
    ]


def test_shares_count_borderline_bodies_as_graded_and_not_as_called():
    """Of four bodies T4 to L4 one is borderline and one not graded; C7 does not count."""
    results = [
        result(
            (true(0), found(0)),
            (true(2), found(2)),
            (true(2), found(2, borderline=True)),
            (true(0), found(None)),
            (true(0, "C7"), found(None)),
        )
    ]

    assert calls.graded_share(results) == 3 / 4
    assert calls.borderline_share(results) == 1 / 4
    assert calls.found_share(results) == 1 / 2
    assert calls.borderline_fracture_share(results) == 1 / 2
    assert calls.false_fracture_share(results) == 0


def test_the_calibration_error_weighs_each_part_by_its_bodies():
    """Three of .05, none true, and one of .95, true, are off by .05; one of .65, not, by .65."""
    results = [
        result(
            *((true(0), found(0, probability=0.05)) for _ in range(3)),
            (true(2), found(2, probability=0.95)),
            (true(0), found(1, probability=0.65)),
        )
    ]

    assert [(part.bodies, part.observed) for part in reliability(results)] == [
        (3, 0.0),
        (1, 0.0),
        (1, 1.0),
    ]
    assert calibration_error(results) == pytest.approx((3 * 0.05 + 0.05 + 0.65) / 5)


def test_a_threshold_shares_out_the_true_and_the_others():
    results = [result((true(2), found(2, probability=0.6)), (true(0), found(0, probability=0.4)))]

    shares = {row.threshold: (row.found, row.false) for row in thresholds(results)}

    assert shares[0.3] == (1.0, 1.0)
    assert shares[0.5] == (1.0, 0.0)
    assert shares[0.7] == (0.0, 0.0)


def test_without_a_stated_probability_there_is_nothing_to_calibrate():
    results = [result((true(2), found(2)))]

    assert np.isnan(calibration_error(results))
    assert thresholds(results) == ()
    json.dumps(judgement_tables(results).to_dict(), allow_nan=False)


def seen(volume):
    return column(1.0, 1.0, 1.0)


OPTIONS = Options(lambda _: (empty_volume(), column(1.0)), seen)


def write_list(folder: Path, **entry: object) -> Path:
    """Five bodies of bone with dark discs, T8 to T12, and their reading."""
    hu = np.full((61, 61, 181), 60, np.int16)
    middles = [50.0 - 25 * i for i in range(5)]
    for middle in middles:
        at = round(middle) + 90
        hu[15:46, 19:42, at - 10 : at + 11] = 300
    affine = np.array([[1.0, 0, 0, -30], [0, 1.0, 0, -30], [0, 0, 1.0, -90], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(hu, affine), folder / "ct.nii.gz")
    vertebrae = [
        {
            "level": f"T{8 + i}",
            "keypoints_patient_mm": {
                name: {end: list(map(float, p)) for end, p in zip(ENDS, pair, strict=True)}
                for name, pair in zip(COLUMNS, box(z), strict=True)
            },
        }
        for i, z in enumerate(middles)
    ]
    (folder / "reading.json").write_text(json.dumps({"case": "anna", "vertebrae": vertebrae}))
    path = folder / "list.json"
    path.write_text(json.dumps([{"reading": "reading.json", "images": "ct.nii.gz", **entry}]))
    return path


def cases_of(dataset: str):
    adapter, source = adapter_of(dataset)
    return list(adapter.cases(source, OPTIONS))


def test_a_list_of_true_deformities_makes_all_other_bodies_normal(tmp_path):
    """``{"T9": "moderate"}``, whatever the heights say."""
    (case,) = cases_of(f"reference:{write_list(tmp_path, deformities={'T9': 'moderate'})}")

    grades = [one.grade for one in case.load()[1].bodies]

    assert grades == [0, 2, 0, 0, 0]


def test_a_ct_with_known_deformities_needs_no_reading(tmp_path):
    """Bodies stand where the models see them; T4 to T6 here, T5 of them deformed."""
    write_list(tmp_path)
    entry = {"case": "boris", "images": "ct.nii.gz", "deformities": {"T5": "severe"}}
    (tmp_path / "known.json").write_text(json.dumps([entry]))

    (case,) = cases_of(f"known:{tmp_path / 'known.json'}")
    _, reading = case.load()

    assert [(one.level, one.grade) for one in reading.bodies] == [("T4", 0), ("T5", 3), ("T6", 0)]
    assert all(one.keypoints_mm is None for one in reading.bodies)


def test_a_uniform_crush_is_known_by_its_share(tmp_path):
    """Two bodies, one at a time, to .75, .6, .55 and .5; the others as they were."""
    cases = cases_of(f"crush:{write_list(tmp_path)}")

    first = cases[1].load()[1]
    lowered = [one for one in first.bodies if one.group]

    assert len(cases) == 8
    assert [one.group for one in lowered] == ["uniform crush to 0.6"]
    assert [one.grade for one in lowered] == [3]
    np.testing.assert_allclose(lowered[0].heights_mm, 12.0, atol=0.05)
    assert lowered[0].ratio > 0.99
    assert all(one.heights_mm.min() > 19.9 for one in first.bodies if not one.group)
