"""What is wrong with an image, in words that quote nothing of its header.

The message of a library's error may hold a value: a patient's name that stands where a number
should. Such messages end in the log and in the reason of a job, so only our own are passed on.
"""

from __future__ import annotations

import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

#: What pydicom raises for bytes that are no data set.
UNREADABLE = (
    BytesLengthException,
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class ImageFault(ValueError):  # noqa: N818 - it never leaves this package: UnreadableInputError does
    """Something is missing or impossible in an image; the message names it without its value."""


class NotHuFault(ImageFault):
    """The pixels are no Hounsfield units, by what the header says or fails to say."""


def told(error: Exception) -> str:
    """An error as it may be shown: our own words, or the name of a library's error."""
    return str(error) if isinstance(error, ImageFault) else type(error).__name__
