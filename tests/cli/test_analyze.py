"""`vfnode analyze`: one clear sentence for bad input, all results or none for good input."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.reference_cases import ABSENT, CASES, compare

SCHEMA = Path(__file__).parents[2] / "dicom_templates" / "result.schema.json"
LIDC = CASES[0]


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vfnode.cli", "analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lidc(tmp_path_factory):
    """The results of one real chest CT."""
    if not LIDC.present:
        pytest.skip(ABSENT)
    out = tmp_path_factory.mktemp("analyze") / "out"
    done = analyze(LIDC.images, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_real_chest_ct_gives_its_files(lidc):
    """Nothing more, nothing less, nothing half-written beside them."""
    out, _ = lidc

    assert sorted(path.name for path in out.glob("[!.]*")) == [
        "projection.sc.dcm",
        "report.sr.dcm",
        "result.json",
        "sagittal-plain.sc.dcm",
        "sagittal.png",
        "sagittal.sc.dcm",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_result_json_keeps_its_contract(lidc):
    """The schema is what others build on."""
    out, _ = lidc

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))

    assert list(validator.iter_errors(json.loads((out / "result.json").read_text()))) == []


def test_the_bodies_of_a_real_chest_ct_are_found_where_they_were_read(lidc):
    """Against the reference reading of this CT."""
    out, _ = lidc

    figures = compare(json.loads((out / "result.json").read_text()), LIDC.reading)

    assert figures["recall"] >= 0.9
    assert figures["precision"] >= 0.9
    assert figures["centre_mm"] <= 2.0
    assert max(figures["height_mae_mm"]) <= 1.5
    assert figures["curve_mm"] <= 3.0


def test_the_table_shows_every_body_and_ends_with_the_patient(lidc):
    """What a person at the terminal reads."""
    out, done = lidc
    result = json.loads((out / "result.json").read_text())

    middles = [v["heights_mm"]["middle"] for v in result["vertebrae"]]
    seen = [height_mm for height_mm in middles if height_mm is not None]  # null beyond the images
    assert len(seen) >= 12
    assert all(f"{height_mm:.1f}" in done.stdout for height_mm in seen)
    assert f"Patient: {result['patient']['grade']}" in done.stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"not a CT"),
        ("broken.nii.gz", b"\x1f\x8b broken"),
        ("empty.dcm", b""),
        ("preamble.dcm", b"\0" * 128 + b"DICM"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_one(tmp_path, name, content):
    """No traceback, and nothing is left behind."""
    path = tmp_path / name
    path.write_bytes(content)

    done = analyze(path, "--out", tmp_path / "out")

    assert done.returncode == 1
    assert done.stderr.startswith("vfnode: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_a_path_that_is_not_there_is_named(tmp_path):
    """The sentence says what to correct."""
    done = analyze(tmp_path / "nowhere", "--out", tmp_path / "out")

    assert done.returncode == 1
    assert "nowhere: no such file or folder" in done.stderr


def test_wrong_usage_ends_with_two(tmp_path):
    """As every command line program does."""
    assert analyze(tmp_path).returncode == 2


def test_wrong_settings_end_with_78_and_name_the_field(tmp_path):
    """EX_CONFIG: systemd does not restart into the same mistake."""
    path = tmp_path / "vfnode.toml"
    path.write_text("[node]\nport = 70000\n")
    command = [sys.executable, "-m", "vfnode.cli", "serve", "--settings", str(path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 78
    assert "[node] port" in done.stderr
    assert "65535" in done.stderr
