"""The CSV file of a training's losses."""

from pathlib import Path

from vfnode.training.loop import Progress
from vfnode.training.loss_log import EVERY, LossLog


def progress(step: int, loss: float = 1.0, fraction: float = 0.5) -> Progress:
    return Progress(step, fraction, step / 60, {"points": loss})


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_row_is_the_mean_of_some_steps(tmp_path: Path) -> None:
    """Losses 1 to EVERY have the mean (EVERY + 1) / 2."""
    log = LossLog(tmp_path / "a.csv")

    for step in range(1, EVERY + 1):
        log.add(progress(step, loss=float(step)))

    assert rows(tmp_path / "a.csv") == [
        "step,minutes,points",
        f"{EVERY},{EVERY / 60:.4f},{(EVERY + 1) / 2:.4f}",
    ]


def test_the_last_steps_are_written_at_the_end(tmp_path: Path) -> None:
    """A run that ends between two rows loses nothing."""
    log = LossLog(tmp_path / "a.csv")

    log.add(progress(1))
    log.add(progress(2, fraction=1.0))

    assert [row.split(",")[0] for row in rows(tmp_path / "a.csv")] == ["step", "2"]


def test_a_resumed_run_drops_the_rows_that_it_makes_again(tmp_path: Path) -> None:
    """Killed after a row, resumed from a save before it: each step stands there once."""
    first = LossLog(tmp_path / "a.csv")
    for step in range(1, 2 * EVERY + 1):
        first.add(progress(step))

    again = LossLog(tmp_path / "a.csv")
    for step in range(EVERY + 5, 2 * EVERY + 5):
        again.add(progress(step))

    assert [row.split(",")[0] for row in rows(tmp_path / "a.csv")[1:]] == [
        str(EVERY),
        str(2 * EVERY + 4),
    ]
