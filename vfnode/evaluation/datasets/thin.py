"""Thin CT averaged to thick slices: what holds of the thin image is the truth of the thick one.

No reading is needed: what the models see on the thin image stands for it, and one truth that
both share shows what thickness alone does to a grade. Where a list names a reading, that is
the truth. ``thin`` leaves the bodies as they are; ``thin-semi-real`` deforms them first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.evaluation.datasets.images import read_images
from vfnode.evaluation.datasets.reference import read_entry
from vfnode.evaluation.datasets.semi_real import Drawing, deform
from vfnode.evaluation.thick_slices import THIN_MM, Averaging, averaged, averagings
from vfnode.evaluation.warp import KINDS, UNIFORM
from vfnode.spine.volume import CTVolume

TRUSTED_MM = 2.0  #: a body whose points are stated to err by more teaches and tests nothing
#: Thick slices must teach the size of deformities too, those of the whole depth among them.
THICK_DEFORMED = Drawing(kinds=(*KINDS, UNIFORM))

Loaded = tuple[CTVolume, Reading]


@dataclass(frozen=True)
class ThinCT:
    """One CT of a site, and its reading where there is one."""

    name: str
    images: Path  #: DICOM folder or NIfTI
    reading: Reading | None = None
    attribution: str = ""  #: its source and licence

    @property
    def slice_mm(self) -> float:
        """Distance of its slices."""
        return round(float(read_images(self.images).spacing_mm[0]), 3)

    def load(self, read: Callable[[CTVolume], Reading]) -> tuple[CTVolume, Reading]:
        """The CT as it is, and its truth: the reading, or what ``read`` sees on it."""
        volume = read_images(self.images)
        return volume, self.reading or _seen(self.images, read)


@lru_cache(maxsize=1)
def _seen(images: Path, read: Callable[[CTVolume], Reading]) -> Reading:
    return trusted(read(read_images(images)))


def thin_list(source: Path) -> tuple[ThinCT, ...]:
    """Cases of ``thin:SOURCE``: a case list, a folder of CT, or one CT.

    An entry of a list may leave the reading out, and may name the patient (``case``) and what
    must be said where the CT is used (``attribution``: source and licence).

    Raises:
        UnreadableInputError: nothing there, or a list of another form.
    """
    if source.suffix == ".json":
        try:
            return tuple(_entry(source.parent, entry) for entry in read_json(source))
        except (KeyError, TypeError, AttributeError) as error:
            raise UnreadableInputError(f"{source} or a reading it names lacks {error}") from error
    if not source.is_dir():
        raise UnreadableInputError(f"{source} is missing: name a folder of CT or a LIST.json")
    found = [path for path in sorted(source.iterdir()) if _is_ct(path)]
    return tuple(ThinCT(path.name.removesuffix(".nii.gz"), path) for path in found or [source])


def _entry(folder: Path, entry: dict[str, Any]) -> ThinCT:
    images = folder / entry["images"]
    attribution = str(entry.get("attribution", ""))
    if "reading" not in entry:
        return ThinCT(entry.get("case", images.name), images, attribution=attribution)
    read = read_entry(folder, entry)
    return ThinCT(read.name, images, read.reading, attribution)


def _is_ct(path: Path) -> bool:
    return path.is_dir() or path.name.endswith((".nii", ".nii.gz"))


def trusted(seen: Reading) -> Reading:
    """The longest run of whole bodies whose points are stated to be good; of the others the place.

    A run, because what lies between two bodies that count must be known.
    """
    best = range(0)
    first = 0
    for index, body in enumerate((*seen.bodies, None)):
        if body is not None and body.complete and body.uncertainty_mm.mean() <= TRUSTED_MM:
            continue
        best = max(best, range(first, index), key=len)
        first = index + 1
    bodies = tuple(
        body if index in best else Body(body.centre_mm, level=body.level, complete=False)
        for index, body in enumerate(seen.bodies)
    )
    return Reading(bodies, seen.curve_mm)


def cases(source: str, options: Options) -> Iterator[Case]:
    """Every CT as it is, and in every thickness and phase that its slices give."""
    for ct, choices in _averageable(source):
        for averaging in choices:

            def load(ct: ThinCT = ct, averaging: Averaging = averaging) -> Loaded:
                volume, reading = ct.load(options.read)
                return averaged(volume, averaging), reading

            yield _case(ct, averaging, "", load)


def deformed_cases(source: str, options: Options) -> Iterator[Case]:
    """Every CT ``options.rounds`` times deformed anew, each in a drawn thickness and phase."""
    for number, (ct, choices) in enumerate(_averageable(source)):
        for turn in range(options.rounds):
            seed = (options.seed, number, turn)
            averaging = choices[int(np.random.default_rng([*seed, 1]).integers(len(choices)))]

            def load(
                ct: ThinCT = ct, averaging: Averaging = averaging, seed: tuple[int, ...] = seed
            ) -> Loaded:
                volume, reading = deform(*ct.load(options.read), seed, THICK_DEFORMED)
                return averaged(volume, averaging), reading

            yield _case(ct, averaging, f" #{turn + 1}", load)


def _averageable(source: str) -> Iterator[tuple[ThinCT, tuple[Averaging, ...]]]:
    """The thin CT of a source, and how each can be averaged.

    Raises:
        UnreadableInputError: none of them is thin enough.
    """
    found = [(ct, averagings(ct.slice_mm)) for ct in thin_list(Path(source))]
    thin = [(ct, choices) for ct, choices in found if choices]
    if not thin:
        raise UnreadableInputError(
            f"{source} holds no CT with slices of {THIN_MM:g} mm or less: nothing to average"
        )
    yield from thin


def _case(ct: ThinCT, averaging: Averaging, turn: str, load: Callable[[], Loaded]) -> Case:
    thickness = f"{averaging.count * ct.slice_mm:g} mm"
    name = f"{ct.name}{turn}, {thickness}, phase {averaging.phase}"
    tags = {"averaged to": thickness}
    return Case(name, ct.name, load, tags=tags, attribution=ct.attribution)


_NOTE = (
    " The truth is the site's reading where there is one, else what the models measure on the thin"
    " image: then the figures say what thickness does, not how right the thin measurement is."
)
THIN = Adapter(
    "thin",
    "LIST.json or FOLDER",
    "Thin CT averaged to slices of 2 to 5 mm, three phases each." + _NOTE,
    cases,
)
THIN_SEMI_REAL = Adapter(
    "thin-semi-real",
    "LIST.json or FOLDER",
    "Thin CT deformed by known amounts and then averaged to a drawn thickness." + _NOTE,
    deformed_cases,
)
