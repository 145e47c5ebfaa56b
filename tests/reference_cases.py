"""The real CT with reference readings, where they are on this machine."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "shared"
ABSENT = f"the public CT with reference readings are not in {SHARED / 'data'}"


@dataclass(frozen=True)
class ReferenceCase:
    """One CT and its reading."""

    name: str
    images: Path

    @property
    def reading(self) -> dict[str, Any]:
        """The reference reading: curve, level, keypoints per body; LPS mm."""
        path = SHARED / "data" / "reference" / f"{self.name}.json"
        reading: dict[str, Any] = json.loads(path.read_text())
        return reading

    @property
    def present(self) -> bool:
        return self.images.exists()


CASES = tuple(
    ReferenceCase(name, SHARED / "data" / images)
    for name, images in (
        ("lidc-0314", "lidc-idri-0314"),
        ("lidc-0001", "lidc-idri-0001"),
        ("totalseg-example", "totalsegmentator-example/ct.nii.gz"),
        ("verse-005", "verse/sub-verse005_ct.nii.gz"),
        ("verse-006", "verse/sub-verse006_ct.nii.gz"),
    )
)


def compare(result: dict[str, Any], reading: dict[str, Any]) -> dict[str, Any]:
    """Figures of one result.json against a reading, by the readings' own tool."""
    spec = importlib.util.spec_from_file_location("compare", SHARED / "tools" / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figures: dict[str, Any] = module.compare(result, reading)
    return figures
