"""The spool of a node, held by one process: two would both do its work."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import TextIO

from vfnode.errors import InstallationError, SettingsError, VfnodeError

LOCK_NAME = ".lock"
#: What a person changes in the settings, or with chown; everything else may pass.
OF_THE_SETTINGS = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


def hold_spool(spool: Path) -> TextIO:
    """Make the spool where it is missing, and hold it until the file is closed.

    Raises:
        SettingsError: it cannot be a spool.
        InstallationError: another node holds it, or its disk cannot be written now.
    """
    try:
        spool.mkdir(parents=True, exist_ok=True)
        lock = (spool / LOCK_NAME).open("w", encoding="ascii")
    except OSError as error:
        raise _not_writable(spool, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InstallationError(
            f"node.spool: {spool} is in use by another node; stop it or choose another folder"
        ) from None
    return lock


def is_held(spool: Path) -> bool:
    """True if a node runs on this spool."""
    try:
        with (spool / LOCK_NAME).open(encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _not_writable(spool: Path, error: OSError) -> VfnodeError:
    if error.errno in OF_THE_SETTINGS:
        return SettingsError(
            f"[node] spool: {spool} cannot be written ({error.strerror}); make it writable for "
            "the user of the node, or choose another folder, for example /var/lib/vfnode"
        )
    return InstallationError(
        f"the spool {spool} cannot be written ({error.strerror}); check with `mount` and `df` "
        "that its disk is there, is writable and has room"
    )
