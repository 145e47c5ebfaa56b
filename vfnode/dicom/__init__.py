"""DICOM in, DICOM out: CT series to volumes, reports to result objects."""

import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

CONFIG = "pydicom.config"


def _quieten() -> None:
    """Let pydicom warn of no odd value: its warnings quote the values.

    Names and identifiers would reach the logs. reading/identity_header.py checks and repairs what
    results carry, so nothing is lost by the silence.
    """
    config = sys.modules[CONFIG]
    config.settings.reading_validation_mode = config.IGNORE


class _QuietPydicom(MetaPathFinder):
    """Quietens pydicom when it is imported, and leaves that to those who need it.

    Settings and lists of jobs know tags and outputs of this package, and not pydicom, whose
    import takes a third of a second.
    """

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as others find it, quietened once it has run."""
        if fullname != CONFIG:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            execute(module)
            _quieten()

        spec.loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return spec


if CONFIG in sys.modules:
    _quieten()
else:
    sys.meta_path.insert(0, _QuietPydicom())
logging.getLogger("highdicom").setLevel(logging.ERROR)
