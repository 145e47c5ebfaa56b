"""The licences of what an installation brings, as the distributions themselves say.

``make licences`` writes them into NOTICE; tests/docs/test_licences.py holds them.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NOTICE = ROOT / "NOTICE"
#: Of torch's CUDA build alone; NOTICE has a sentence on them.
CUDA = ("nvidia-", "cuda-", "triton")
HEADING = "Installed packages\n------------------\n"
#: Said in a file of the distribution and not in its metadata, or more than one word there.
KNOWN = {"simpleitk": "Apache-2.0", "sdnotify": "MIT"}
#: The words of old metadata -> SPDX.
SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}


def _roots() -> dict[str, list[Requirement]]:
    """Name of an extra (empty: a plain installation) -> what setup.cfg names."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = {"": setup["options"]["install_requires"]} | dict(setup["options.extras_require"])
    del named["test"]  # tools for developers are not part of what is installed
    return {
        extra: [Requirement(line) for line in lines.split("\n") if line]
        for extra, lines in named.items()
    }


def _closure(roots: Iterable[Requirement]) -> set[str]:
    """Canonical names of the distributions that these requirements bring on this machine."""
    found: set[str] = set()
    waiting = [(root.name, extra) for root in roots for extra in ("", *root.extras)]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        found.add(canonicalize_name(name))
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.name.startswith(CUDA):
                continue
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                for pair in ((needed.name, each) for each in ("", *needed.extras)):
                    if pair not in seen:
                        seen.add(pair)
                        waiting.append(pair)
    return found


def licence_of(name: str) -> str:
    """SPDX expression of a distribution."""
    about = metadata.metadata(name).json
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get("classifier", ())
        if line.startswith("License :: ")
    ]
    words = (
        KNOWN.get(name)
        or about.get("license_expression")
        or " AND ".join(SPDX.get(word, word) for word in classifiers if word != "OSI Approved")
    )
    return str(words or about.get("license") or "unknown")


def licences() -> list[tuple[str, str, str]]:
    """Distribution, licence, and the extra that brings it; by name, a plain installation first."""
    rows: list[tuple[str, str, str]] = []
    known: set[str] = set()
    for extra, roots in _roots().items():
        brought = _closure(roots) - known
        known |= brought
        rows += [
            (name, licence_of(name), f"[{extra}]" if extra else "") for name in sorted(brought)
        ]
    return rows


def with_licences(text: str) -> str:
    """NOTICE with the list of today's installation as its last section."""
    width = max(len(name) for name, _, _ in licences())
    lines = [
        f"{name:{width}}  {licence}{'  ' if extra else ''}{extra}"
        for name, licence, extra in licences()
    ]
    return re.sub(
        f"({re.escape(HEADING)}.*?\n\n).*",
        lambda m: m[1] + "\n".join(lines) + "\n",
        text,
        flags=re.S,
    )


if __name__ == "__main__":
    NOTICE.write_text(with_licences(NOTICE.read_text("utf-8")), "utf-8")
