"""One result of each kind of answer, and how tests look into a report."""

import pydicom

from tests.factories import CUT, NORMAL, Body, make_analysis, make_refusal
from vfnode.spine.reason import Reason

ANALYSES = {
    "positive": make_analysis(quality=(Reason.LEVEL_UNKNOWN, Reason.THICK_SLICES)),
    "negative": make_analysis([NORMAL, NORMAL]),
    "numbered": make_analysis([Body(), Body()]),
    "only cut": make_analysis([CUT]),
    "not evaluable": make_refusal(),
}


def groups(document: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The measurement groups of an SR: the study's own, then one a vertebra."""
    container = next(
        item
        for item in document.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "126010"
    )
    return list(container.ContentSequence)


def items(group: pydicom.Dataset, code: str) -> list[pydicom.Dataset]:
    """Content items of a group with a concept name."""
    return [
        item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code
    ]


def coded(group: pydicom.Dataset, code: str) -> list[str]:
    """Values of a group's coded items."""
    return [item.ConceptCodeSequence[0].CodeValue for item in items(group, code)]
