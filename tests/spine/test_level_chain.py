"""Names of a column: clear signs name all, distances tell who is missing, doubt is said."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfnode.spine.level_chain import EXTRA, NAMES, PITCH_MM, name_column

LIKE = [name for name in NAMES if name not in EXTRA]


def evidence(looks: list[str | None], strength: float = 4.0) -> dict[str, np.ndarray]:
    """Log-probabilities of bodies that look like a level, or like any where None."""
    table = np.zeros((len(looks), len(LIKE)))
    for row, name in zip(table, looks, strict=True):
        if name is not None:
            row[LIKE.index(name)] = strength
    table -= np.log(np.exp(table).sum(1, keepdims=True))
    return dict(zip(LIKE, table.T, strict=True))


def gaps(names: list[str], size: float = 1.0) -> np.ndarray:
    """Distances of the centres of named bodies, the missing ones between them counted."""
    found = [NAMES.index(name) for name in names]
    steps = [
        sum(PITCH_MM[NAMES[i]] for i in range(a, b) if NAMES[i] not in EXTRA)
        for a, b in pairwise(found)
    ]
    return size * np.array(steps)


def column(first: str, last: str) -> list[str]:
    """The usual names from one to another."""
    return LIKE[LIKE.index(first) : LIKE.index(last) + 1]


@given(
    first=st.integers(0, len(LIKE) - 4),
    count=st.integers(3, 18),
    clear=st.integers(0, 17),
    size=st.floats(0.85, 1.2),
)
def test_one_clear_body_names_its_whole_column(first, count, clear, size):
    """The order of the column carries a name from the body that has it to all others."""
    names = LIKE[first : first + count]
    looks: list[str | None] = [None] * len(names)
    looks[clear % len(names)] = names[clear % len(names)]

    named = name_column(evidence(looks, strength=12.0), gaps(names, size))

    assert list(named.names) == names
    assert named.confidence.min() > 0.9


def test_a_body_that_was_not_found_leaves_a_gap_in_the_names():
    """Twice the distance is one name skipped, not all below shifted by one."""
    names = ["T5", "T6", "T8", "T9", "T10"]
    looks: list[str | None] = ["T5", None, None, None, "T10"]

    named = name_column(evidence(looks), gaps(names))

    assert list(named.names) == names


def test_one_body_that_looks_wrong_does_not_break_the_order():
    """Names follow one another; the others outvote it."""
    names = column("T3", "T9")
    looks: list[str | None] = [*names]
    looks[3] = "T8"

    assert list(name_column(evidence(looks), gaps(names)).names) == names


def test_bodies_that_look_like_nothing_are_named_with_no_confidence():
    """Where no rib, sacrum or skull is seen, a name is a guess and said to be one."""
    names = column("T5", "T9")

    named = name_column(evidence([None] * len(names)), gaps(names))

    assert named.confidence.max() < 0.4


def test_thirteen_bodies_between_neck_and_lumbar_spine_are_thirteen():
    """T13 exists: seen when both ends of the thoracic spine are clear."""
    names = ["C7", *(f"T{n}" for n in range(1, 14)), "L1"]
    looks: list[str | None] = [None] * len(names)
    looks[0], looks[1], looks[-1] = "C7", "T1", "L1"
    steps = np.array([PITCH_MM[name] for name in names[:-1]])

    assert list(name_column(evidence(looks, 12.0), steps).names) == names


@pytest.mark.parametrize(("last", "count"), [("S1", 6), ("L5", 5)])
def test_a_sixth_lumbar_body_needs_the_sacrum_below_it(last, count):
    """L6 is named where six bodies stand between T12 and the sacrum, not before."""
    names = ["T12", *(f"L{n}" for n in range(1, count + 1)), *(["S1"] if last == "S1" else [])]
    looks: list[str | None] = [None] * len(names)
    looks[0], looks[-1] = "T12", last
    steps = np.array([PITCH_MM[name] for name in names[:-1]])

    assert list(name_column(evidence(looks, 12.0), steps).names) == names


def test_a_single_body_is_named_by_its_look():
    """A column of one has no distances."""
    named = name_column(evidence(["L3"], 12.0), np.zeros(0))

    assert named.names == ("L3",)
    assert named.confidence[0] > 0.9


@pytest.mark.parametrize("trouble", ["too many", "no number", "absurd"])
def test_what_cannot_be_named_has_no_confidence_and_is_no_error(trouble):
    """More bodies than levels, distances that are none: levels stay unknown, numbers stay."""
    count = len(NAMES) + 4 if trouble == "too many" else 8
    steps = np.full(count - 1, 25.0)
    steps[2] = {"too many": 25.0, "no number": np.nan, "absurd": 1e9}[trouble]

    named = name_column(evidence([None] * count), steps)

    assert len(named.names) == count
    assert np.isfinite(named.confidence).all()
    if trouble != "absurd":
        assert not named.confidence.any()
