"""Reads what a web archive answers: DICOM JSON (PS3.18 F.2) or the Native DICOM Model (PS3.19 A.1).

Only what was asked for is read. An answer that is none of both says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

SOP_INSTANCE, REFERENCED_INSTANCE = "00080018", "00081155"
FAILED, REFERENCED = "00081198", "00081199"
FAILURE_REASON, WARNING_REASON = "00081197", "00081196"

Item = dict[str, list[Any]]  #: tag -> values


@dataclass(frozen=True)
class StoreReport:
    """What an answer to STOW-RS says of instances: (SOP instance UID, reason or None)."""

    failed: tuple[tuple[str, int | None], ...] = ()
    stored: tuple[tuple[str, int | None], ...] = ()


def store_report(body: bytes, content_type: str) -> StoreReport:
    """The lists of failed and of stored instances; empty ones where the answer says nothing."""
    items = _items(body, content_type)
    return StoreReport(
        failed=tuple(
            _told(item, FAILURE_REASON) for found in items for item in found.get(FAILED, ())
        ),
        stored=tuple(
            _told(item, WARNING_REASON) for found in items for item in found.get(REFERENCED, ())
        ),
    )


def found_instances(body: bytes, content_type: str) -> set[str]:
    """SOP instance UIDs that an answer to a search names."""
    return {uid for item in _items(body, content_type) if (uid := _first(item, SOP_INSTANCE))}


def _told(item: Any, reason: str) -> tuple[str, int | None]:
    if not isinstance(item, dict):
        return "", None
    try:
        number = int(_first(item, reason))
    except ValueError:
        return _first(item, REFERENCED_INSTANCE), None
    return _first(item, REFERENCED_INSTANCE), number


def _first(item: Item, tag: str) -> str:
    values = item.get(tag) or [""]
    return str(values[0])


def _items(body: bytes, content_type: str) -> Sequence[Item]:
    """The data sets of an answer, their sequences as lists of data sets."""
    try:
        if "xml" in content_type:
            root = ElementTree.fromstring(body)
            return [_of_xml(model) for model in root.iter() if _name(model) == "NativeDicomModel"]
        answer = json.loads(body) if body.strip() else []
    except (ValueError, LookupError, ElementTree.ParseError, RecursionError):
        return []
    answers = answer if isinstance(answer, list) else [answer]
    return [_of_json(found) for found in answers if isinstance(found, dict)]


def _of_json(found: dict[str, Any]) -> Item:
    item: Item = {}
    for tag, element in found.items():
        values = element.get("Value") if isinstance(element, dict) else None
        if isinstance(values, list):
            item[tag.upper()] = [_of_json(v) if isinstance(v, dict) else v for v in values]
    return item


def _of_xml(model: ElementTree.Element) -> Item:
    item: Item = {}
    for attribute in model:
        if _name(attribute) == "DicomAttribute":
            parts = [part for part in attribute if _name(part) in ("Value", "Item")]
            item[attribute.get("tag", "").upper()] = [
                _of_xml(part) if _name(part) == "Item" else (part.text or "") for part in parts
            ]
    return item


def _name(element: ElementTree.Element) -> str:
    """Name without its namespace."""
    return element.tag.rpartition("}")[2]
