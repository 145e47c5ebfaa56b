"""Data of the results: codes, texts, layout, fonts, schema, and the folder they lie in."""

from __future__ import annotations

import json
import re
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

from vfnode.errors import ResultError


@cache
def templates_dir() -> Path:
    """Folder ``dicom_templates``.

    Beside the package in a checkout or an editable installation, else
    ``share/vfnode/dicom_templates`` of the environment, where ``pip install`` puts data files.

    Raises:
        ResultError: neither exists.
    """
    beside = Path(__file__).resolve().parents[2] / "dicom_templates"
    installed = Path(sysconfig.get_path("data")) / "share" / "vfnode" / "dicom_templates"
    for folder in (beside, installed):
        if folder.is_dir():
            return folder
    raise ResultError(f"no dicom_templates folder at {beside} or {installed}: install vfnode again")


@cache
def load_template(name: str) -> dict[str, Any]:
    """One JSON file of the folder, parsed once; treat it as read-only.

    Raises:
        ResultError: the file is missing or is not JSON.
    """
    path = templates_dir() / name
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"cannot read {path}: {error}") from error
    return content


def texts(name: str, language: str) -> dict[str, Any]:
    """Texts of one file in a language, e.g. ``texts("sr_texts.json", "en")``.

    Raises:
        ResultError: the file has no such language.
    """
    languages = load_template(name)
    if language not in languages:
        raise ResultError(f"{name} has no texts in {language!r}, only in {', '.join(languages)}")
    chosen: dict[str, Any] = languages[language]
    return chosen


@cache
def own_wording() -> frozenset[str]:
    """Every word of the texts that results are made of, in lower case."""
    files = ("sr_texts.json", "picture_texts.json", "codes.json")
    words = re.findall(
        r"\w+", json.dumps([load_template(name) for name in files], ensure_ascii=False)
    )
    return frozenset(word.casefold() for word in (*words, "vfnode"))
