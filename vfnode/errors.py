"""Every error of vfnode, named by what the caller can do about it.

VfnodeError
├── GeometryError            the numbers cannot be a vertebra, a curve or a volume
├── NotEvaluableError        the input is understood and unsuitable: final, coded reason
├── UnreadableInputError     the file or folder cannot be read as CT: name it, give up
├── ModelError               a model folder is missing, damaged or of another kind
├── TrainingError            a training run cannot start or has diverged: change its options
├── MissingExtraError        a package of an extra is not installed: install the extra
├── SettingsError            a setting is wrong: names the field and the remedy
├── NoSpoolError             no node has run here: name the settings or the spool of one
├── UnknownJobError          no job, or several, are meant: give more of its identifier
├── ComputeError             the compute child died, hung or ran out of memory: retry once
├── InstallationError        disk full, models missing, child cannot start: wait, fail no study
├── InboxError
│   ├── InboxFullError       no room on disk: the sender may try again later
│   └── InvalidInstanceError the instance lacks what filing it needs: never retry
├── ResultError              a result object cannot be built or fails its own check
└── DeliveryError
    ├── DeliveryDeferredError  the destination may accept the same objects later: retry
    └── DeliveryRefusedError   the destination will never accept this object: a person decides
"""

from __future__ import annotations

import errno
import socket
import ssl


class VfnodeError(Exception):
    """Base of all errors that vfnode raises on purpose."""


class GeometryError(VfnodeError):
    """The numbers cannot be a vertebra, a curve or a volume."""


class NotEvaluableError(VfnodeError):
    """The input is understood and unsuitable: final, with a coded reason.

    Args:
        code: a value of ``vfnode.spine.report.Reason``.
        detail: one sentence for a person, without identity.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class UnreadableInputError(VfnodeError):
    """The file or folder cannot be read as CT."""


class ModelError(VfnodeError):
    """A model folder is missing, damaged or of another kind."""


class TrainingError(VfnodeError):
    """A training run cannot start or has diverged: change its options."""


class MissingExtraError(VfnodeError):
    """A package of an extra is not installed; the message names the extra to install."""


class SettingsError(VfnodeError):
    """A setting is wrong; the message names the field and the remedy."""


class NoSpoolError(VfnodeError):
    """No node has run here: name the settings or the spool of one."""


class UnknownJobError(VfnodeError):
    """No job, or more than one, is meant: give more of its identifier."""


class ComputeError(VfnodeError):
    """The compute child died, hung or ran out of memory: retry once."""


class InstallationError(VfnodeError):
    """The machine is at fault and not the study: wait until it has been mended."""


class InboxError(VfnodeError):
    """An instance could not be taken into the inbox."""


class InboxFullError(InboxError):
    """No room on disk: the sender may try again later."""


class InvalidInstanceError(InboxError):
    """The instance lacks what filing it needs: sending it again will not help."""


class ResultError(VfnodeError):
    """A result object cannot be built, or fails its own check."""


class DeliveryError(VfnodeError):
    """A result object was not taken by a destination."""


class DeliveryDeferredError(DeliveryError):
    """The destination may accept the same objects later: retry.

    Args:
        retry_after_s: that the destination itself asked to be left alone; 0 where it did not.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryRefusedError(DeliveryError):
    """The destination will never accept this object: a person decides."""


#: Faults of the machine, not of a study or a peer: the same work succeeds when they are mended.
_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk cannot be read or written",
    errno.ESTALE: "the network share is gone",
    errno.EACCES: "a file or folder may not be used",
    errno.EPERM: "a file or folder may not be used",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.ENOMEM: "the machine is out of memory",
}


def fault_of_installation(error: BaseException) -> str:
    """Fault of the machine that an error tells of, in words; empty if it is none."""
    if isinstance(error, (ssl.SSLError, socket.gaierror)):  # their numbers are others
        return ""
    if not isinstance(error, OSError) or error.errno not in _FAULTS:
        return ""
    where = f": {error.filename}" if error.filename else ""
    return f"{_FAULTS[error.errno]}{where}"
