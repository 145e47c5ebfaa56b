"""A node whose compute child is a fake: ``python run_node.py SETTINGS CONTROL``."""

import sys
from pathlib import Path

from tests.end_to_end.peers import FAKE_COMPUTE
from vfnode.node.app import run
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.settings.settings import load_settings

if __name__ == "__main__":
    child = ChildProgram([sys.executable, str(FAKE_COMPUTE), sys.argv[2]], {}, 60.0)
    sys.exit(run(load_settings(Path(sys.argv[1])), child))
