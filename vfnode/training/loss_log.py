"""The losses of a training as a CSV file: step, minutes, each term."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vfnode.training.loop import Progress

EVERY = 20  #: steps whose mean is one row


class LossLog:
    """Appends to one file; a resumed run goes on where its checkpoint stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[Progress] = []
        self._begun = False

    def add(self, progress: Progress) -> None:
        """Take the losses of one step; a row is written every `EVERY` steps and at the end."""
        if not self._begun:
            self._begin(progress)
        self._pending.append(progress)
        if len(self._pending) < EVERY and progress.fraction < 1.0:
            return
        means = [
            float(np.mean([step.losses[name] for step in self._pending]))
            for name in progress.losses
        ]
        self._write(
            "a", [[progress.step, _decimals(progress.elapsed_minutes), *map(_decimals, means)]]
        )
        self._pending = []

    def _begin(self, first: Progress) -> None:
        """Drop rows of steps that a killed run had made after its last save."""
        kept: list[list[str]] = []
        if self._path.exists():
            with self._path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in list(csv.reader(file))[1:] if int(row[0]) < first.step]
        self._write("w", [["step", "minutes", *first.losses], *kept])
        self._begun = True

    def _write(self, mode: str, rows: Iterable[Iterable[object]]) -> None:
        with self._path.open(mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def _decimals(value: float) -> str:
    return f"{value:.4f}"
