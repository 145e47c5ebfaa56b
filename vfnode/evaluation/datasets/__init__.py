"""The kinds of data set that can be evaluated: one module each, one line in ``ADAPTERS``."""

from __future__ import annotations

from vfnode.errors import UnreadableInputError
from vfnode.evaluation.datasets.adapter import Adapter
from vfnode.evaluation.datasets.cancer500 import CANCER500
from vfnode.evaluation.datasets.crushed import CRUSHED
from vfnode.evaluation.datasets.known import KNOWN
from vfnode.evaluation.datasets.reference import REFERENCE
from vfnode.evaluation.datasets.semi_real import SEMI_REAL
from vfnode.evaluation.datasets.synthetic import SYNTHETIC
from vfnode.evaluation.datasets.thin import THIN, THIN_SEMI_REAL
from vfnode.evaluation.datasets.verse import VERSE

_ALL = (REFERENCE, CANCER500, VERSE, SYNTHETIC, SEMI_REAL, THIN, THIN_SEMI_REAL, CRUSHED, KNOWN)
ADAPTERS: dict[str, Adapter] = {adapter.kind: adapter for adapter in _ALL}


def adapter_of(dataset: str) -> tuple[Adapter, str]:
    """The adapter and the source that ``KIND:SOURCE`` names.

    Raises:
        UnreadableInputError: no such kind, or no source.
    """
    kind, _, source = dataset.partition(":")
    if kind not in ADAPTERS or not source:
        known = ", ".join(f"{name}:{one.source}" for name, one in ADAPTERS.items())
        raise UnreadableInputError(f"{dataset} is no data set; known are {known}")
    return ADAPTERS[kind], source
