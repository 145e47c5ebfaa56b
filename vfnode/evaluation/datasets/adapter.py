"""Contract of every kind of data set: its cases, and the options it may ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Case, Reading
from vfnode.spine.volume import CTVolume


@dataclass(frozen=True)
class SyntheticRequest:
    """A CT to draw; the same request gives the same voxels."""

    seed: int
    spacing_mm: tuple[float, float, float]  #: along (k, r, c)
    deformities: Mapping[str, tuple[str, float]]  #: level -> (kind, height ratio)
    noise_hu: float


Read = Callable[[CTVolume], Reading]
Synthesize = Callable[[SyntheticRequest], tuple[CTVolume, Reading]]


@dataclass(frozen=True)
class Options:
    """Options of data sets that are made on the spot."""

    synthesize: Synthesize  #: draws a CT with known truth
    read: Read  #: measures a CT: stands for a reading where there is none
    rounds: int = 4  #: times that each real CT is deformed anew
    seed: int = 1  #: of all that is drawn


@dataclass(frozen=True)
class Adapter:
    """One kind of data set."""

    kind: str
    source: str  #: what SOURCE is, for the help
    note: str  #: what a reader of the figures must know
    cases: Callable[[str, Options], Iterator[Case]]
    #: False for a source where readers are compared with each other
    needs_models: Callable[[str], bool] = lambda _: True


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        UnreadableInputError: missing or not JSON; names the file.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableInputError(f"cannot read {path}: {error}") from error
