"""The identity of an installation: made once, kept in its spool."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from pydicom.uid import UID

from vfnode.durable_files import write_json
from vfnode.errors import SettingsError

FILE_NAME = "installation.json"


def device_uid(spool: Path) -> str:
    """Device Observer UID of the node that owns a spool (PS3.16 TID 1004).

    Made at the first start and kept, so that reports of two hospitals, or of two nodes of one,
    name different devices. Only the node that holds the spool's lock may ask.

    Raises:
        SettingsError: the file is damaged; a new UID would make the same node another device.
    """
    path = spool / FILE_NAME
    if not path.exists():
        write_json(path, {"device_uid": f"2.25.{uuid.uuid4().int}"})
    try:
        kept = UID(json.loads(path.read_text("utf-8"))["device_uid"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(_remedy(path)) from error
    if not kept.is_valid:
        raise SettingsError(_remedy(path))
    return str(kept)


def _remedy(path: Path) -> str:
    return f"node.spool: {path} holds no device UID; restore it, or remove it for a new one"
