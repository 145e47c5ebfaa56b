"""The command line of the evaluation."""

from typing import Any

from rich.console import Console
from typer.testing import CliRunner

from tests.evaluation.factories import Remembered, column
from tests.training.factories import write_reference
from vfnode.cli import app
from vfnode.cli.evaluate import _Measured, _summarize, no_models, synthesize
from vfnode.evaluation.datasets.adapter import Options


def test_each_fold_measures_its_own_patients_alone(tmp_path):
    """Two folds of one patient each: two cases, one a fold, and none twice."""
    analyzer: Any = Remembered(column(1.0, 1.0))
    folds = [
        _Measured(analyzer, "first", frozenset({"anna"})),
        _Measured(analyzer, "second", frozenset({"boris"})),
    ]

    with Console(stderr=True, quiet=True).status("") as status:
        summary = _summarize(
            write_reference(tmp_path), Options(synthesize, no_models), folds, status
        )

    assert [(r.patient, r.fold) for r in summary.results] == [
        ("anna", "first"),
        ("boris", "second"),
    ]


def test_folds_bring_their_own_models(tmp_path):
    """Models of two sources would leave it open what was measured."""
    arguments = ["evaluate", "reference:list.json", "--out", str(tmp_path)]

    outcome = CliRunner().invoke(
        app, [*arguments, "--models", str(tmp_path), "--folds", str(tmp_path)]
    )

    assert outcome.exit_code == 2
    assert "--folds" in outcome.output
