"""The objects of a result: built in memory, checked, and written all or none.

Which there are stands in ``vfnode.dicom.results.output_files``.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from vfnode.dicom.checks.result_set import CheckedObject, CTFacts, ResultSet
from vfnode.dicom.checks.rules import require_sound
from vfnode.dicom.picture.drawing import Picture
from vfnode.dicom.picture.layout import PictureFacts
from vfnode.dicom.picture.pictures import Pictures
from vfnode.dicom.reading.ct_series import CTSeries, SeriesSource
from vfnode.dicom.results.output_files import OUTPUTS, RESULT_NAME, Output, When
from vfnode.dicom.results.picture_sc import source_items
from vfnode.dicom.results.previous_report import PreviousReport
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.result_json import build_result
from vfnode.dicom.results.settings import PRODUCT, ResultSettings
from vfnode.dicom.results.summary_text import slice_texts
from vfnode.dicom.wording import notes_of
from vfnode.durable_files import write_sealed
from vfnode.errors import ResultError
from vfnode.spine.report import Analysis

Builder = Callable[[Building], Dataset | list[Dataset] | bytes | None]


@dataclass(frozen=True)
class WrittenOutput:
    """A file of a result; the UIDs are None where it is not a DICOM object."""

    path: Path
    sop_class_uid: str | None
    sop_instance_uid: str | None


def build_and_write(
    analysis: Analysis,
    series: SeriesSource | None,
    folder: Path,
    settings: ResultSettings | None = None,
    created: datetime | None = None,
    replaces: Path | None = None,
) -> tuple[WrittenOutput, ...]:
    """Build every object of a result and put them into ``folder``, all or none.

    Args:
        series: the CT; a SeriesSource where it could not be read as a volume; None for input
            without DICOM identity: no DICOM objects then.
        folder: made if it is not there; files of an earlier result are replaced. Sealed.
        created: date of the objects; now where None.
        replaces: the SR of an earlier run on the same series.

    Returns:
        Every file that was written.

    Raises:
        ResultError: an object fails the semantic check (checks.py), or a setting names no
            output; nothing is written.
    """
    used, when = settings or ResultSettings(), created or datetime.now()
    started = time.perf_counter()
    analysis = analysis.with_quality(series.notes if isinstance(series, CTSeries) else ())
    previous = PreviousReport.from_file(replaces) if replaces else None
    pictures = result_pictures(analysis, series, used, when, previous)
    files, datasets = {"sagittal.png": _png(pictures.annotated)}, {}
    if series is not None:
        context = ResultContext(analysis, series, used, when, previous)
        made = build_objects(Building(context, pictures, source_items(series)))
        datasets = {name: item for name, item in made.items() if isinstance(item, Dataset)}
        _require_sound(datasets, series)
        files |= {
            name: _encoded(item) if isinstance(item, Dataset) else item
            for name, item in made.items()
        }
    timed = analysis.with_timing("build", time.perf_counter() - started)
    timed = timed.with_timing("total", sum(timed.report.timing_s.values()))
    files[RESULT_NAME] = _json(
        build_result(timed.report, series, used.version, pictures.annotated.geometry)
    )
    write_sealed(folder, files)
    return tuple(_written(folder / name, datasets.get(name)) for name in files)


def build_objects(building: Building) -> dict[str, Dataset | bytes]:
    """File name -> object, for every output that the site wants of this result.

    Raises:
        ResultError: a setting names no output.
    """
    settings = building.context.settings
    unknown = sorted(set(settings.objects) - {output.name for output in OUTPUTS})
    if unknown:
        raise ResultError(f"no output is called {', '.join(unknown)}")
    files: dict[str, Dataset | bytes] = {}
    for output in OUTPUTS:
        made = builder_of(output)(building) if _is_wanted(output, building.context) else None
        if isinstance(made, list):
            files |= {output.numbered(index): each for index, each in enumerate(made, 1)}
        elif made is not None:
            files[output.file_name] = made
        if isinstance(made, Dataset):
            building.made[output.name] = made
    return files


def builder_of(output: Output) -> Builder:
    """The builder of an output; imported now, so that what nobody wants costs nothing."""
    module, _, function = output.builder.partition(":")
    builder: Builder = getattr(import_module(module), function)
    return builder


def result_pictures(
    analysis: Analysis,
    series: SeriesSource | None,
    settings: ResultSettings,
    created: datetime,
    previous: PreviousReport | None = None,
) -> Pictures:
    """The pictures of a result; without the projection where the CT has no volume."""
    ct = series if isinstance(series, CTSeries) else None
    facts = PictureFacts(
        PRODUCT,
        settings.version,
        created,
        settings.language,
        slices=slice_texts(analysis, ct, settings.language) if ct else (),
        replaces=previous.created if previous else None,
        notes=notes_of(analysis.report),
    )
    return Pictures(analysis, facts, ct.volume if ct else None)


def _is_wanted(output: Output, context: ResultContext) -> bool:
    """True if the site wants this object of this result."""
    when = When(context.settings.objects.get(output.name, output.when))
    return when is When.ALWAYS or (when is When.POSITIVES and context.is_positive)


def _require_sound(datasets: dict[str, Dataset], series: SeriesSource) -> None:
    objects = tuple(CheckedObject(name, dataset) for name, dataset in datasets.items())
    require_sound(ResultSet(objects, CTFacts.from_series(series)))


def _written(path: Path, dataset: Dataset | None) -> WrittenOutput:
    if dataset is None:
        return WrittenOutput(path, None, None)
    return WrittenOutput(path, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))


def _json(result: dict[str, Any]) -> bytes:
    return json.dumps(result, indent=1, ensure_ascii=False).encode("utf-8")


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    pixels_per_inch = 25.4 / picture.pixel_mm
    # Level 3 takes half the time of the default and 2 % more room.
    dpi = (pixels_per_inch, pixels_per_inch)
    picture.image().save(buffer, "PNG", dpi=dpi, compress_level=3)
    return buffer.getvalue()


def _encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
