"""The house has one direction: errors <- spine <- (inference | dicom) <- node <- cli."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vfnode"

ALLOWED = {
    "errors": set(),
    "networks": set(),
    "spine": {"errors"},
    "inference": {"errors", "spine", "networks"},
    "dicom": {"errors", "spine"},
    "training": {"errors", "spine", "networks", "inference"},
    "evaluation": {"errors", "spine", "networks", "inference", "dicom"},
    "node": {"errors", "spine", "inference", "dicom"},
    "cli": {"errors", "spine", "inference", "dicom", "node", "training", "evaluation"},
}
#: library -> where it may be imported
HOMES = {
    "torch": {"networks", "inference", "training", "node/compute/child.py"},
    "pydicom": {"dicom", "node"},
    "highdicom": {"dicom"},
    "pynetdicom": {"node"},
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(path: Path) -> set[str]:
    """Full names of all that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path):
    """Each part knows only the parts that its work is made of."""
    mine = part_of(path)

    used = {name.split(".")[1] for name in imports(path) if name.startswith("vfnode.")}

    assert used - {mine, "__version__"} <= ALLOWED[mine]


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_used_only_in_its_home(library):
    """What one part alone knows can be exchanged in that part alone."""
    strangers = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if any(name.split(".")[0] == library for name in imports(path))
        and part_of(path) not in HOMES[library]
        and str(path.relative_to(PACKAGE)) not in HOMES[library]
    ]

    assert strangers == []
