"""``python -m vfnode.cli`` is ``vfnode``."""

from vfnode.cli import main

main()
