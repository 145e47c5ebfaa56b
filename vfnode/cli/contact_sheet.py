"""``vfnode contact-sheet``: what the synthetic generators make, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfnode.extras import require_extra

if TYPE_CHECKING:
    from vfnode.spine.volume import CTVolume


def contact_sheet(
    out: Annotated[Path, typer.Option(help="PNG that is written.")] = Path("contact-sheet.png"),
    seed: Annotated[int, typer.Option(help="Seed of the first image of each row.")] = 1,
    count: Annotated[int, typer.Option(min=1, help="Images in a row.")] = 4,
    ct: Annotated[
        list[Path] | None,
        typer.Option(help="Real CT to compare with: DICOM folder or volume file; repeatable."),
    ] = None,
) -> None:
    """Draw images that training reads, beside real CT, as one picture."""
    require_extra("train", "vfnode contact-sheet")
    from vfnode.training.contact_sheet import contact_sheet as drawn  # noqa: PLC0415

    sheet = drawn(seed, count, [_volume(path) for path in ct or []])
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(out)


def _volume(path: Path) -> CTVolume:
    from vfnode.dicom.reading.ct_series import read_ct_series  # noqa: PLC0415
    from vfnode.dicom.reading.volume_files import read_volume_file  # noqa: PLC0415

    return read_ct_series([path])[0].volume if path.is_dir() else read_volume_file(path)
