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
    """The destination may accept the same objects later: retry."""


class DeliveryRefusedError(DeliveryError):
    """The destination will never accept this object: a person decides."""
