"""CT of which a reader has said what is deformed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vfnode.errors import UnreadableInputError
from vfnode.evaluation.cases import Body, Case, Reading
from vfnode.evaluation.datasets.adapter import Adapter, Options, read_json
from vfnode.evaluation.datasets.images import read_images
from vfnode.evaluation.datasets.reference import with_grades
from vfnode.spine.volume import CTVolume


def cases(source: str, options: Options) -> Iterator[Case]:
    """One case a CT of a list: ``[{"case": ..., "images": ..., "deformities": {...}}]``.

    Raises:
        UnreadableInputError: the list is missing or of another form.
    """
    path = Path(source)
    try:
        entries = [
            (path.parent / entry["images"], str(entry["case"]), dict(entry["deformities"]))
            for entry in read_json(path)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInputError(f"{path} lacks {error}") from error
    for images, name, deformities in entries:

        def load(
            images: Path = images, deformities: dict[str, str] = deformities
        ) -> tuple[CTVolume, Reading]:
            volume = read_images(images)
            return volume, with_grades(_places(options.read(volume)), deformities)

        yield Case(name, name, load)


def _places(seen: Reading) -> Reading:
    """Places of bodies as the models see them: nobody has marked them."""
    bodies = (Body(one.centre_mm, level=one.level, complete=one.complete) for one in seen.bodies)
    return Reading(tuple(bodies))


KNOWN = Adapter(
    "known",
    "LIST.json",
    "Real CT with a list of the true deformities alone. Bodies are taken where the models see"
    " them, so recall and precision mean nothing here: the calls do.",
    cases,
)
