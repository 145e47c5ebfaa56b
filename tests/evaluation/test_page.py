"""The page and its JSON."""

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.evaluation.factories import Remembered, column, empty_volume
from vfnode.cli import app
from vfnode.evaluation.cases import Case
from vfnode.evaluation.page import page
from vfnode.evaluation.results import measure_all
from vfnode.evaluation.summary import DatasetSummary, summarize


@pytest.fixture(scope="module")
def summary() -> DatasetSummary:
    truth, found = column(1.0, 0.9, 0.7, 0.5), column(1.0, 0.92, 0.72, 0.6)
    cases = [
        Case(f"<{i}>", str(i), lambda: (empty_volume(), truth), tags={"kernel": "soft"})
        for i in range(3)
    ]
    results = measure_all(cases, Remembered(found), lambda _: None)
    return summarize("reference:<list>", "by hand", results, seed=1)


def test_the_page_needs_nothing_beside_it(summary):
    """No link, script or picture is loaded from anywhere."""
    text = page([summary], ["vfnode"])

    assert "<svg" in text
    assert "<script" not in text
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", text)


def test_the_page_shows_every_table_and_what_the_paper_reached(summary):
    """Ours, the interval and the paper's figure stand side by side."""
    text = page([summary], ["vfnode"])

    for expected in ("Table 1", "Table 2", "Table 3", "0.991", "Bland-Altman", "slice distance"):
        assert expected in text


def test_folds_have_a_column_of_their_own(summary):
    """Mean and deviation stand beside the pooled figure; without folds there is no such column."""
    halves = [replace(r, fold=str(i % 2)) for i, r in enumerate(summary.results)]
    by_folds = summarize("reference:list", "by hand", tuple(halves), seed=1)

    assert "1.000 ± 0.000" in page([by_folds], ["vfnode"])  # recall
    assert "over folds" not in page([summary], ["vfnode"])


def test_names_are_shown_as_text_never_as_markup(summary):
    """A folder may have any name."""
    text = page([summary], ["<b>"])

    assert "&lt;0&gt;" in text
    assert "<0>" not in text
    assert "<b>" not in text


def test_the_json_holds_the_same_figures_and_no_nan(summary):
    """What cannot be told is null."""
    data = json.loads(json.dumps(summary.to_dict(), allow_nan=False))

    slope = data["tables"]["Measurement"]["slope of found on true G"]
    # true 1, .9, .7, .5; found 1, .92, .72, .6: covariance .1210 over variance .1475
    assert slope["value"] == pytest.approx(0.8203, abs=1e-4)
    assert data["tables"]["Table 2: detection of vertebral bodies"]["recall"]["value"] == 1.0
    assert data["per_case"][0]["bodies"][3]["true_ratio"] == 0.5


def test_the_command_compares_experts_without_any_model(tmp_path):
    """`vfnode evaluate cancer500:FOLDER` writes the page and the JSON."""
    segments = [[[y, 0, 0], [y, 0, 20]] for y in (100, 110, 120)]
    below = [[[y, 0, 30], [y, 0, 50]] for y in (100, 110, 120)]
    marks = [{"segments": s, "type": t} for s, t in ((segments, "Th1"), (below, "Th2"))]
    content = {"Annotation": {"expert1": marks, "expert2": marks}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    arguments = ["evaluate", f"cancer500:{tmp_path}", "--out", str(tmp_path / "out")]

    outcome = CliRunner().invoke(app, arguments)

    assert outcome.exit_code == 0, outcome.output
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert data["datasets"][0]["cases"] == 2
    assert "expert against expert" in (tmp_path / "out" / "evaluation.html").read_text()
