"""The pictures of one result, each drawn when it is first asked for."""

from __future__ import annotations

from functools import cached_property

from vfnode.dicom.picture.drawing import Picture, draw_picture, draw_plain, draw_projection
from vfnode.dicom.picture.layout import PictureFacts
from vfnode.dicom.picture.projection import project_sagittal
from vfnode.spine.report import Analysis
from vfnode.spine.volume import CTVolume


class Pictures:
    """Annotated, plain and projected picture of an analysis.

    Args:
        analysis: what is drawn.
        facts: what is said beside it.
        volume: the CT; None where it could not be read.
    """

    def __init__(self, analysis: Analysis, facts: PictureFacts, volume: CTVolume | None) -> None:
        self._analysis = analysis
        self._facts = facts
        self._volume = volume

    @cached_property
    def annotated(self) -> Picture:
        """The straightened sagittal with the measurements, or a page with the reason."""
        return draw_picture(self._analysis, self._facts)

    @cached_property
    def plain(self) -> Picture | None:
        """The same geometry without annotation; None without an image."""
        if self._analysis.sagittal is None:
            return None
        return draw_plain(self._analysis.sagittal, self._facts)

    @cached_property
    def projection(self) -> Picture | None:
        """The spine as it stands in the patient; None without a spine in the volume."""
        spine = self._analysis.report.spine
        if spine is None or self._volume is None:
            return None
        image = project_sagittal(self._volume, spine)
        return draw_projection(self._analysis.report, image, self._facts) if image else None
