"""UIDs derived from what they name, so that a second run makes the same ones."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vfnode import __version__

IMPLEMENTATION_VERSION_NAME = f"VFNODE_{__version__}"[:16]

if TYPE_CHECKING:  # the receiver needs UIDs and nothing of the domain
    from vfnode.spine.report import FractureReport

#: Namespace of every UID that vfnode derives; changing it changes them all.
NAMESPACE = uuid.UUID("5b0f6c1e-27f4-4f0e-9a58-6d2f6e0c8f11")
MACHINE_ID = Path("/etc/machine-id")
#: Implementation Class UID of vfnode (PS3.7 D.3.3.2).
IMPLEMENTATION_CLASS_UID = "2.25.190358722136187429183524710398531704325"


def derive_uid(*parts: str) -> str:
    """UID below 2.25 (PS3.5 B.2) that depends on every part and on their borders.

    pydicom's ``generate_uid`` joins its sources without a separator, so that ("1", "23") and
    ("12", "3") would share a UID; JSON keeps them apart.
    """
    return f"2.25.{uuid.uuid5(NAMESPACE, json.dumps(parts)).int}"


def device_uid_of_host() -> str:
    """UID of this machine as a device, for results that are made without a node.

    From its machine ID and name, hashed as machine-id(5) asks. Containers of one image may
    share the first, never both.
    """
    machine_id = MACHINE_ID.read_text("utf-8").strip() if MACHINE_ID.exists() else ""
    return derive_uid("device", machine_id, platform.node())


def content_key(
    study_instance_uid: str,
    sop_instance_uids: Iterable[str],
    report: FractureReport,
    settings: Sequence[str],
) -> str:
    """Key of a result's origin: the images, the weights, and the settings that change it.

    Args:
        study_instance_uid: of the CT.
        sop_instance_uids: of the CT instances that were read, in any order.
        report: its models and its limits enter, its findings do not.
        settings: everything else that changes the objects, e.g. version and language.

    Returns:
        A UID that stands for all of it: a part of further derived UIDs, never sent itself.
    """
    limits = report.limits
    return derive_uid(
        "content",
        study_instance_uid,
        *sorted(sop_instance_uids),
        *sorted(f"{model.role}:{model.sha256}" for model in report.models),
        f"limits:{limits.mild}:{limits.moderate}:{limits.severe}",
        f"graded:{limits.first_level}:{limits.last_level}",
        *settings,
    )
