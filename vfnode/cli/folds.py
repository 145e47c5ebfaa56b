"""Cross-validation: whom the models of a folder have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vfnode.errors import ModelError
from vfnode.inference.bundle import MANIFEST_NAME, read_manifest


def left_out_of(models: Path) -> frozenset[str]:
    """Patients that the trainings of a models folder left out, and that none of them had.

    Raises:
        ModelError: no model of the folder was trained with patients left out.
    """
    trained: set[str] = set()
    left_out: set[str] = set()
    for path in sorted(models.glob(f"*/{MANIFEST_NAME}")):
        data = read_manifest(path.parent).training.get("data")
        if isinstance(data, dict):
            trained |= set(data["patients"])
            left_out |= set(data["left out"])
    if not left_out - trained:
        raise ModelError(f"no model in {models} was trained with a --fold left out")
    return frozenset(left_out - trained)


def patients_of_folds(folders: Sequence[Path]) -> dict[Path, frozenset[str]]:
    """Models folder -> the patients that it may be measured on.

    Raises:
        ModelError: a folder without a fold, or a patient in two folds.
    """
    found: dict[Path, frozenset[str]] = {}
    seen: frozenset[str] = frozenset()
    for folder in folders:
        found[folder] = left_out_of(folder)
        if seen & found[folder]:
            twice = ", ".join(sorted(seen & found[folder]))
            raise ModelError(f"{folder} left out patients that another fold left out too: {twice}")
        seen |= found[folder]
    return found
