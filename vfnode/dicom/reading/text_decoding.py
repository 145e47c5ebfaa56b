"""Texts of a DICOM header whose declared character set may be missing, misspelled or wrong."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

#: Any bytes are text in it.
LATIN_1 = "latin-1"
ASCII = "ascii"
#: Starts a code extension (PS3.5 6.1.2.5).
ESCAPE = b"\x1b"
#: An escape sequence that pydicom leaves in the text (ISO 2022 IR 58).
LEFT_OVER = re.compile(r"\x1b\$?[()-][A-Z]")
#: Delimiters that end a code extension (PS3.5 6.1.2.5.3), for text and for names.
TEXT_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C}
NAME_DELIMITERS = {0x5E, 0x3D, 0x5C}
#: Encodings whose texts often happen to be UTF-8 too: the declaration is believed.
AMBIGUOUS = ("shift_jis", "iso_ir_166", "GB18030", "GBK", "euc_kr")
#: What slips of the pen mean.
OTHER_NAMES = {"UTF-8": "ISO_IR 192", "UTF8": "ISO_IR 192", "LATIN1": "ISO_IR 100"}


@dataclass(frozen=True)
class ReadText:
    """A text, and whether it was in the character set that the header declares."""

    text: str
    as_declared: bool = True


@dataclass(frozen=True)
class TextReader:
    """Reads the texts of one data set.

    pydicom would replace what it cannot decode, and believe what is declared: here bytes are
    decoded strictly, and every other possibility is tried before one is given up.
    """

    encodings: tuple[str, ...]  #: Python names of the declared character sets; empty if unusable
    fallback_encoding: str  #: of texts that are not in what is declared

    @classmethod
    def of(cls, dataset: Dataset, fallback_encoding: str = LATIN_1) -> TextReader:
        """For a data set by its Specific Character Set."""
        return cls(declared_encodings(dataset), fallback_encoding)

    def read(self, dataset: Dataset, keyword: str) -> ReadText:
        """The attribute as text; empty where it has no value."""
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in dataset:
            return ReadText("")
        element = dataset.get_item(tag)
        value = element.value if element is not None else None
        if not isinstance(element, RawDataElement) or not isinstance(value, bytes):
            return ReadText("" if value is None else str(value))
        return self.decode(value, is_name=dictionary_VR(keyword) == "PN")

    def decode(self, value: bytes, *, is_name: bool = False) -> ReadText:
        """Bytes as text: by code extensions, as declared, as UTF-8, or by the fallback."""
        if ESCAPE in value and self.encodings:
            delimiters = NAME_DELIMITERS if is_name else TEXT_DELIMITERS
            text: str = decode_bytes(value, list(self.encodings), delimiters)
            if "\ufffd" not in text:
                return ReadText(LEFT_OVER.sub("", text))
        if value.isascii():
            return ReadText(value.decode(ASCII))
        declared = self.encodings[0] if self.encodings else ASCII
        as_declared = _decoded(value, declared)
        if as_declared is not None and declared in (*AMBIGUOUS, "UTF8"):
            return ReadText(as_declared)
        unicode = _decoded(value, "utf-8")
        if unicode is not None and _is_written(unicode):
            return ReadText(unicode, as_declared=False)
        return self._single_byte(value, as_declared)

    def _single_byte(self, value: bytes, as_declared: str | None) -> ReadText:
        """As declared, unless it is Latin that only makes sense in the fallback's script."""
        expected = _decoded(value, self.fallback_encoding)
        latin = not self.encodings or self.encodings[0] in ("latin_1", "iso8859")
        if expected is not None and latin and _is_of_one_foreign_script(expected):
            return ReadText(expected, as_declared=False)
        if as_declared is not None:
            return ReadText(as_declared)
        return ReadText(value.decode(self.fallback_encoding, "replace"), as_declared=False)


def declared_encodings(dataset: Dataset) -> tuple[str, ...]:
    """Python encodings of SpecificCharacterSet; none where it is missing or nonsense."""
    declared = dataset.get("SpecificCharacterSet")
    names = [declared] if isinstance(declared, str) else list(declared or [])
    found = [python_encoding.get(_tidy(str(name))) for name in names]
    if None in found:
        return ()
    if len(found) == 1 and found[0] == python_encoding[""]:
        return ()  # ISO-IR 6 has no letters beyond ASCII: nothing is declared
    # pydicom calls ISO-IR 6 iso8859; where it comes first, plain ASCII is meant.
    return tuple(str(name) for name in found)


def _tidy(name: str) -> str:
    """ "ISO_IR_192", "ISO IR 192", "iso-ir192" and the like as the standard writes them."""
    upper = name.strip().upper()
    upper = re.sub(r"^ISO[ _-]?(2022)?[ _-]?IR[ _-]*(\d+)$", _standard_name, upper)
    return OTHER_NAMES.get(upper, upper)


def _standard_name(match: re.Match[str]) -> str:
    return f"ISO 2022 IR {match[2]}" if match[1] else f"ISO_IR {match[2]}"


def _decoded(value: bytes, encoding: str) -> str | None:
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_written(text: str) -> bool:
    """Whether all that is not ASCII are letters or signs that people type."""
    return all(char.isascii() or char.isalpha() or char in "№–—’«»" for char in text)


def _is_of_one_foreign_script(text: str) -> bool:
    """Whether every word with other than ASCII letters is wholly in one script, not Latin.

    Tells Cyrillic declared as Latin-1 from Latin-1: in CP1251 "Müller" would be "Mьller".
    """
    words = re.findall(r"[^\W\d_]+", text)
    foreign = [word for word in words if not word.isascii()]
    scripts = [{unicodedata.name(char, "").split(" ")[0] for char in word} for word in foreign]
    return bool(foreign) and all(len(found) == 1 and "LATIN" not in found for found in scripts)
