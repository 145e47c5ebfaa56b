"""Reads the series of a job; one that is refused still has the headers for an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vfnode.dicom.reading.ct_series import CTSeries, SeriesSource, read_ct_series
from vfnode.dicom.reading.refused_series import read_refused_series
from vfnode.dicom.reading.text_decoding import LATIN_1
from vfnode.errors import NotEvaluableError
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport

#: Reasons for which a series is not read once more: it is what failed, or what must not be.
NOT_READ = {Reason.COMPUTE_FAILED, Reason.UNREADABLE, Reason.IDENTITY_CONFLICT}


@dataclass(frozen=True)
class Reading:
    """Settings of a site for reading images and grading."""

    limits: GenantLimits = field(default_factory=GenantLimits)
    fallback_encoding: str = LATIN_1  #: of texts in headers with a wrong character set


class SeriesReader:
    """Keeps the series that was read last: build asks for what compute has just read.

    Args:
        reading: what the site says.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._paths: list[str] = []
        self._found: CTSeries | Analysis | None = None

    def read(self, paths: list[str]) -> CTSeries | Analysis:
        """The series of these files, or an analysis that says why it is refused.

        Raises:
            UnreadableInputError: a file is damaged.
        """
        if self._found is None or self._paths != paths:
            self._found = None  # two volumes at once would double the peak of memory
            self._found, self._paths = self._read(paths), paths
        return self._found

    def source(self, paths: list[str], analysis: Analysis) -> SeriesSource:
        """Series that the results of an analysis of these files are about.

        Raises:
            UnreadableInputError: not one header can be read.
        """
        if analysis.report.reason not in NOT_READ:
            found = self.read(paths)
            if isinstance(found, CTSeries):
                return found
        return read_refused_series([Path(path) for path in paths], self._reading.fallback_encoding)

    def forget(self) -> None:
        """Give the memory of the series back."""
        self._found = None

    def _read(self, paths: list[str]) -> CTSeries | Analysis:
        files = [Path(path) for path in paths]
        try:
            return read_ct_series(files, self._reading.fallback_encoding)[0]
        except NotEvaluableError as error:
            return refusal(Reason.from_code(error.code), self._reading.limits)


def refusal(reason: Reason, limits: GenantLimits) -> Analysis:
    """An analysis that measured nothing and says why."""
    return Analysis(FractureReport((), None, (), reason=reason, limits=limits), None)
