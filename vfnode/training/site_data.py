"""A site's own read CT as training input: which patients take part, and who is left out.

Where the CT and readings come from is not known here: the command line makes them from the
data-set adapters of `vfnode evaluate`.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vfnode.errors import TrainingError
from vfnode.spine.volume import CTVolume, FloatArray
from vfnode.training.run import TrainingOptions


@dataclass(frozen=True)
class ReadSpine:
    """A CT and what a person read on it; bodies cranial to caudal."""

    volume: CTVolume
    keypoints_mm: FloatArray  #: (n, 3, 2, 3) LPS, of whole bodies
    unread_mm: FloatArray  #: (m, 3) LPS, centres of bodies without keypoints
    curve_mm: FloatArray | None  #: (N, 3) LPS


@dataclass(frozen=True)
class ReadCT:
    """One read CT of a data set; the volume is loaded when it is wanted."""

    key: str  #: of data set, case and seed: what is cut from it is kept under it
    patient: str
    load: Callable[[], ReadSpine]
    attribution: str = ""  #: source and licence, where the list says them

    def cache_path(self, folder: Path, what: str) -> Path:
        """File for what is cut from this CT."""
        return folder / "site" / f"{hashlib.sha256(self.key.encode()).hexdigest()[:24]}-{what}.npz"

    def rng(self) -> np.random.Generator:
        """Randomness of its own, the same in every run."""
        return np.random.default_rng(list(hashlib.sha256(self.key.encode()).digest()[:8]))


@dataclass(frozen=True)
class Fold:
    """One of several parts of the patients, for cross-validation."""

    number: int  #: from 1
    count: int

    @classmethod
    def parse(cls, text: str) -> "Fold":
        """``1/5`` -> the first of five.

        Raises:
            TrainingError: not of this form, or no such fold.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise TrainingError(f"{text} is no fold; write 1/5 for the first of five")
        return cls(int(number), int(count))

    def patients(self, everybody: Iterable[str]) -> frozenset[str]:
        """The patients of this fold; an order by hash, so that names have no say in it."""
        ordered = sorted(set(everybody), key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(ordered) < self.count:
            raise TrainingError(f"{self.count} folds need as many patients; here {len(ordered)}")
        return frozenset(ordered[self.number - 1 :: self.count])


@dataclass(frozen=True)
class SiteData:
    """Data of a site that take part in a training."""

    datasets: tuple[str, ...] = ()  #: KIND:SOURCE, as on the command line
    everybody: tuple[ReadCT, ...] = ()
    share: float = 0.0  #: of a batch; the rest is synthetic
    fold: Fold | None = None
    rounds: int = 1  #: that semi-real data sets deformed each CT

    @cached_property
    def left_out(self) -> frozenset[str]:
        """Patients of the fold: none of their CT is trained on."""
        if self.fold is None:
            return frozenset()
        return self.fold.patients(ct.patient for ct in self.everybody)

    @cached_property
    def cases(self) -> tuple[ReadCT, ...]:
        """The CT that are trained on."""
        return tuple(ct for ct in self.everybody if ct.patient not in self.left_out)


SYNTHETIC_ONLY = SiteData()


def facts(site: SiteData) -> str | dict[str, Any]:
    """Facts about the data for a manifest: sets, patients, and who was left out."""
    if not site.cases:
        return "synthetic only"
    return {
        "sets": list(site.datasets),
        "semi-real rounds": site.rounds,
        "share": site.share,
        "patients": sorted({ct.patient for ct in site.cases}),
        "left out": sorted(site.left_out),
        "attribution": sorted({ct.attribution for ct in site.cases} - {""}),
    }


def command(role: str, options: TrainingOptions, images: int, site: SiteData) -> str:
    """The command that makes the weights again; `images` are drawn for it."""
    parts = [f"vfnode train {role} --minutes {options.minutes:g} --seed {options.seed}"]
    parts.append(f"--images {images}")
    if options.batch is not None:
        parts.append(f"--batch {options.batch}")
    if options.workers:
        parts.append(f"--workers {options.workers}")
    if options.start_from is not None:
        parts.append(f"--from {options.start_from} --blend {options.blend:g}")
    parts += [f"--data {dataset}" for dataset in site.datasets]
    if site.datasets:
        parts.append(f"--share {site.share:g} --rounds {site.rounds}")
    if site.fold is not None:
        parts.append(f"--fold {site.fold.number}/{site.fold.count}")
    return " ".join(parts)
