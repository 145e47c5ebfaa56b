"""Extras: packages that a plain installation leaves out, and the sentence that asks for them.

A node needs none of them. setup.cfg names their distributions.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from vfnode.errors import MissingExtraError

Extra = Literal["train", "evaluate", "his"]
#: extra of setup.cfg -> modules that it brings
EXTRAS: dict[Extra, tuple[str, ...]] = {
    "train": ("numba",),
    "evaluate": ("sklearn", "matplotlib"),
    "his": ("fhir", "hl7apy"),
}


def require_extra(extra: Extra, purpose: str) -> None:
    """Refuse early, in one sentence, what cannot work without the packages of an extra.

    Args:
        extra: name of the extra in setup.cfg.
        purpose: the command, setting or object that needs it; the subject of the sentence.

    Raises:
        MissingExtraError: a package of the extra is not installed.
    """
    absent = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if absent:
        raise MissingExtraError(
            f"{purpose} needs {' and '.join(absent)}, which a plain installation leaves out:"
            f" pip install 'vfnode[{extra}]'"
        )
