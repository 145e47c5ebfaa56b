"""What the answer of a receiver means: one table for C-STORE, STOW-RS and what a library raises.

Only what a receiver said for certain is final. Everything else waits and is tried again: a
name that does not resolve, a proxy, a password that ran out, an answer that nobody can read.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryError,
    DeliveryRefusedError,
    InstallationError,
    ResultError,
    VfnodeError,
    fault_of_installation,
)


class Verdict(Enum):
    """What follows from an answer."""

    STORED = "stored"
    LATER = "later"  #: the same object may be taken at another time
    OTHER_FORM = "other form"  #: not this object; another form of it may be taken, else a person
    PERSON = "person"  #: never this object, in no form


@dataclass(frozen=True)
class Meaning:
    """A verdict, and the answer in words."""

    verdict: Verdict
    words: str


class ObjectDeferredError(DeliveryDeferredError):
    """This object may be taken later; the others can be sent now."""


class FormRefusedError(DeliveryRefusedError):
    """The object is not taken in this form; another form of it may be."""


STORED = 0x0000
ALREADY_STORED = 0x0111

_STORED, _LATER = Verdict.STORED, Verdict.LATER
_FORM, _PERSON = Verdict.OTHER_FORM, Verdict.PERSON

#: Status of C-STORE, FailureReason and WarningReason of STOW-RS: PS3.4 table B.2-1,
#: PS3.7 annex C, PS3.18 table I.2-1; 0xB00E and 0xB00F are those of Azure (45070, 45071).
_STATUSES: dict[int, tuple[Verdict, str]] = {
    STORED: (_STORED, "stored"),
    0xB000: (_STORED, "stored, elements coerced"),
    0xB006: (_STORED, "stored, elements discarded"),
    0xB007: (_STORED, "stored, does not match its SOP class"),
    ALREADY_STORED: (_STORED, "has it already"),
    0xB00E: (_STORED, "has it already"),
    0xB00F: (_LATER, "it is being stored by somebody else"),
    0x0110: (_LATER, "processing failure"),
    0x0124: (_LATER, "not authorised"),
    0x0106: (_FORM, "an attribute has a wrong value"),
    0x0117: (_FORM, "not a valid instance"),
    0x0119: (_FORM, "the instance is not of this class"),
    0x0120: (_FORM, "an attribute is missing"),
    0x0121: (_FORM, "an attribute lacks its value"),
    0x0122: (_FORM, "SOP class not supported"),
    0x0118: (_FORM, "no such SOP class"),
    0x0131: (_LATER, "storage commitment transaction in use"),
}
_RANGES: tuple[tuple[range, Verdict, str], ...] = (
    (range(0xA700, 0xA800), _LATER, "out of resources"),
    (range(0xA900, 0xAA00), _FORM, "data set does not match its SOP class"),
    (range(0xC000, 0xD000), _FORM, "cannot understand the object"),
)

#: HTTP statuses that are not for later (PS3.18 table 10.5.3-1).
_HTTP: dict[int, Verdict] = {
    HTTPStatus.BAD_REQUEST: _FORM,
    HTTPStatus.NOT_ACCEPTABLE: _PERSON,
    HTTPStatus.CONFLICT: _FORM,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _PERSON,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: _FORM,
    HTTPStatus.UNPROCESSABLE_ENTITY: _FORM,
}


def meaning_of_status(status: int) -> Meaning:
    """What a DIMSE status, a failure reason or a warning reason says."""
    verdict, words = _STATUSES.get(status, (None, ""))
    if verdict is None:
        found = ((kind, text) for codes, kind, text in _RANGES if status in codes)
        verdict, words = next(found, (_LATER, "not a status that the standard names"))
    return Meaning(verdict, f"0x{status:04X} ({words})")


def meaning_of_http(code: int) -> Meaning:
    """What an HTTP status says where no failure reason explains it."""
    try:
        words = f"HTTP {code} ({HTTPStatus(code).phrase.lower()})"
    except ValueError:
        words = f"HTTP {code}"
    return Meaning(_HTTP.get(code, _LATER), words)


def error_of(meaning: Meaning, receiver: str, retry_after_s: float = 0.0) -> DeliveryError:
    """The error to raise for an answer that did not store an object."""
    words = f"{receiver} answered {meaning.words}"
    if meaning.verdict is Verdict.LATER:
        return ObjectDeferredError(words, retry_after_s)
    if meaning.verdict is Verdict.OTHER_FORM:
        return FormRefusedError(words)
    return DeliveryRefusedError(words)


def is_foreseen(error: BaseException) -> bool:
    """Whether an error has its own words; otherwise its traceback belongs in the log."""
    return isinstance(error, (VfnodeError, OSError))


def error_of_unforeseen(error: BaseException, receiver: str) -> Exception:
    """What a library raised in the midst of a delivery, as an error of vfnode.

    Returns:
        A DeliveryError or an InstallationError; never anything else.
    """
    if isinstance(error, (DeliveryError, InstallationError)):
        return error
    if isinstance(error, ResultError):
        return DeliveryRefusedError(str(error))
    if isinstance(error, VfnodeError):  # a certificate or a password that is not there now
        return DeliveryDeferredError(str(error))
    fault = fault_of_installation(error)
    if fault:
        return InstallationError(fault)
    return DeliveryDeferredError(f"{receiver} {words_of(error)}")


#: What a library raises -> words, without its message, which could quote an address or a patient.
_WORDS: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
    (socket.gaierror, lambda e: f"has a name that cannot be resolved ({e.strerror})"),
    (UnicodeError, lambda _: "has a name that cannot be a host name"),
    (ssl.SSLError, lambda e: f"fails at TLS ({e.reason or type(e).__name__})"),
    (TimeoutError, lambda _: "does not answer in time"),
    (OSError, lambda e: f"does not answer ({e.strerror or type(e).__name__})"),
    (
        http.client.HTTPException,
        lambda e: f"does not answer as a web server ({type(e).__name__})",
    ),
)


def words_of(error: BaseException) -> str:
    """What an exception says of a receiver, to stand behind its name."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words(error)
    return f"raised an unexpected {type(error).__name__}; see the log"
