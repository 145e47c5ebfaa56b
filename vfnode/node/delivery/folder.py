"""The destination kind 'folder': objects as files, for an archive or a script that watches it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread

from vfnode.durable_files import write_whole
from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings

STORED = 0x0000


class FolderDestination:
    """``<folder>/<study>/<SOP instance>.dcm``; each file is there whole or not at all.

    Args:
        section: its settings.
        settings: those of the node; nothing of them is needed.
    """

    def __init__(self, section: DestinationSection, settings: Settings) -> None:  # noqa: ARG002
        assert section.folder is not None  # the section's own check
        self._folder = section.folder

    def send(self, objects: Sequence[ResultObject], on_stored: OnStored) -> None:
        """Write objects in this order.

        Raises:
            DeliveryDeferredError: the folder is not there, or cannot be written now.
        """
        # It is not made here: where a share is not mounted, results would fill the disk
        # below its mount point, and be hidden when it comes back.
        for result in objects:
            if not self._folder.is_dir():
                raise DeliveryDeferredError(f"there is no folder {self._folder}")
            try:
                write_whole(self._path_of(result), result.path.read_bytes())
            except OSError as error:
                raise DeliveryDeferredError(
                    f"{self._folder} cannot be written: {error.strerror}"
                ) from error
            on_stored(result, STORED)

    def echo(self) -> str:
        """Whether the folder is there and can be written.

        Returns:
            Empty: it takes everything.

        Raises:
            DeliveryDeferredError: it is not there, or cannot be written.
        """
        if not self._folder.is_dir():
            raise DeliveryDeferredError(f"there is no folder {self._folder}")
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise DeliveryDeferredError(f"{self._folder} cannot be written by this user")
        return ""

    def held(self, objects: Sequence[ResultObject]) -> set[str]:
        """What stands in the folder: a file there is whole."""
        return {result.sop_instance_uid for result in objects if self._path_of(result).exists()}

    def _path_of(self, result: ResultObject) -> Path:
        header = dcmread(result.path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True)
        return self._folder / str(header.StudyInstanceUID) / f"{result.sop_instance_uid}.dcm"
