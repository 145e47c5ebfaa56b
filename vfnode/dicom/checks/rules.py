"""The semantic checker: what no validator sees (the faults are listed in tests/dicom).

Runs on every object before it is written, and on files by ``vfnode check``. A new rule is one
function and one line in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vfnode.dicom.checks import headers as check_headers
from vfnode.dicom.checks import picture as check_picture
from vfnode.dicom.checks import references as check_evidence
from vfnode.dicom.checks import reformat as check_reformat
from vfnode.dicom.checks import report as check_report
from vfnode.dicom.checks.headers import Findings
from vfnode.dicom.checks.result_set import ResultSet, read_set
from vfnode.errors import ResultError


@dataclass(frozen=True)
class Violation:
    """One finding of one rule in one object."""

    file: str  #: name of the file, or "the set"
    rule: str
    finding: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.finding}"


@dataclass(frozen=True)
class Rule:
    """A named check over all objects of one result; its docstring says what must hold."""

    name: str
    find: Callable[[ResultSet], Findings]


RULES = (
    Rule("attributes", check_headers.attributes),
    Rule("character set", check_headers.texts_decode),
    Rule("uid form", check_headers.valid_uids),
    Rule("uid reuse", check_headers.single_roles),
    Rule("file meta", check_headers.file_headers),
    Rule("one study", check_headers.one_study),
    Rule("codes", check_headers.known_codes),
    Rule("identity", check_headers.no_identity_in_texts),
    Rule("template", check_report.template),
    Rule("tracking", check_report.tracking),
    Rule("algorithm", check_report.algorithm),
    Rule("units", check_report.units),
    Rule("frame of reference", check_report.frames_of_reference),
    Rule("heights", check_report.heights),
    Rule("ratios", check_report.ratios),
    Rule("grades", check_report.grades),
    Rule("conclusion", check_report.conclusion),
    Rule("levels", check_report.levels),
    Rule("evidence", check_evidence.evidence),
    Rule("places on pictures", check_evidence.places),
    Rule("pixels", check_picture.pixels),
    Rule("calibration", check_picture.calibration),
    Rule("no plane", check_picture.no_plane),
    Rule("sources", check_picture.sources),
    Rule("planes", check_reformat.planes),
)


def check(results: ResultSet) -> tuple[Violation, ...]:
    """Every finding of every rule; each once."""
    found = (
        Violation(name, rule.name, finding)
        for rule in RULES
        for name, finding in rule.find(results)
    )
    return tuple(dict.fromkeys(found))


def check_files(paths: Iterable[Path]) -> tuple[Violation, ...]:
    """Check result files; CT slices among the files are what they are compared with.

    Raises:
        UnreadableInputError: a file is no DICOM file.
    """
    return check(read_set(paths))


def require_sound(results: ResultSet) -> None:
    """Let no object with a finding go on.

    Raises:
        ResultError: the first finding, and how many there are.
    """
    found = check(results)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ResultError(f"a result fails its own check: {found[0]}{more}")
