"""The house has one direction, and its rooms have doors.

``errors <- durable_files <- spine <- (inference | dicom) <- node <- cli``
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vfnode"

ALLOWED = {
    "errors": set(),
    "durable_files": {"errors"},
    "extras": {"errors"},
    "networks": set(),
    "spine": {"errors", "durable_files"},
    "inference": {"errors", "durable_files", "spine", "networks"},
    "dicom": {"errors", "durable_files", "extras", "spine"},
    "training": {"errors", "durable_files", "spine", "networks", "inference"},
    "evaluation": {"errors", "durable_files", "spine", "networks", "inference", "dicom"},
    "node": {"errors", "durable_files", "extras", "spine", "inference", "dicom"},
    "cli": {
        "errors",
        "durable_files",
        "extras",
        "spine",
        "inference",
        "dicom",
        "node",
        "training",
        "evaluation",
    },
}
#: room -> rooms that it has no door to
CLOSED = {
    "node/receiving": {"node/jobs", "node/delivery", "node/compute", "node/operations"},
    "node/delivery": {"node/jobs", "node/receiving", "node/compute", "node/operations"},
    "node/compute": {"node/jobs", "node/receiving", "node/delivery", "node/operations"},
    "node/jobs": {"node/operations"},
    "node/settings": {
        "node/jobs",
        "node/receiving",
        "node/delivery",
        "node/compute",
        "node/operations",
    },
    "dicom/reading": {"dicom/picture", "dicom/results", "dicom/checks"},
    "dicom/picture": {"dicom/results", "dicom/checks"},
    "dicom/checks": {"dicom/picture", "dicom/results"},
}
#: library -> where it may be imported
HOMES = {
    "torch": {"networks", "inference", "training", "node/compute/child.py"},
    "pydicom": {"dicom", "node"},
    "highdicom": {"dicom"},
    "pynetdicom": {"node"},
    "SimpleITK": {"dicom"},
    # Of extras: no other part may need them.
    "numba": {"training"},
    "sklearn": {"evaluation"},
    "matplotlib": {"evaluation"},
    "fhir": {"dicom"},
    "hl7apy": {"dicom"},
}
#: What starts often, or stays running beside the compute process, does without torch.
WITHOUT_TORCH = {
    "vfnode --help": "sys.argv = ['vfnode', '--help']; from vfnode.cli import main; main()",
    "vfnode jobs": "sys.argv = ['vfnode', 'jobs']; from vfnode.cli import main; main()",
    "vfnode settings": "sys.argv = ['vfnode', 'settings']; from vfnode.cli import main; main()",
    "the node": "import vfnode.node.app",
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


@pytest.mark.parametrize("room", sorted(CLOSED))
def test_a_room_has_no_door_to_those_above_it(room):
    """Receiving knows nothing of jobs, pictures know nothing of reports."""
    closed = {f"vfnode.{other.replace('/', '.')}" for other in CLOSED[room]}

    opened = {
        f"{path.name} -> {name}"
        for path in (PACKAGE / room).glob("*.py")
        for name in imports(path)
        if any(name.startswith(f"{other}.") for other in closed)
    }

    assert opened == set()


@pytest.mark.parametrize("command", sorted(WITHOUT_TORCH))
def test_what_does_not_compute_never_loads_torch(command, tmp_path):
    """Not by an import of an import either: 160 MB and a second at each start."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        f"{WITHOUT_TORCH[command]}"
    )

    run = subprocess.run(
        # `vfnode jobs` ends with 1 here: there is no spool to list.
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr.splitlines()[-1] == "False"


def test_tests_share_what_they_need_by_factories_and_not_by_each_other():
    """A file of tests can be changed or go without looking who else lives on it."""
    tests = Path(__file__).parent

    borrowed = {
        f"{path.relative_to(tests)} -> {name}"
        for path in tests.rglob("*.py")
        for name in imports(path)
        if name.startswith("tests.") and ".test_" in name
    }

    assert borrowed == set()
