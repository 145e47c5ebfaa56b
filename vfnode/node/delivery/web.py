"""HTTP to one web archive: within a time, up to a size, and as the settings say.

The standard library's client is used as it is: it knows nothing of proxies and authorities in
the environment, follows no redirect, and shows its socket, so that a deadline can close it.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from vfnode.errors import DeliveryDeferredError
from vfnode.node.delivery.answers import words_of
from vfnode.node.delivery.deadline import Deadline, hang_up

LONGEST_ANSWER_BYTES = 8 << 20  #: that answers may have; those of STOW-RS have some kilobytes
LONGEST_RETRY_AFTER_S = 86400.0
READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class WebArchive:
    """Which web archive to call, and as whom."""

    url: str  #: without credentials
    timeout_s: float  #: for a connection, or a byte
    tls: Callable[[], ssl.SSLContext]  #: made for each connection, as certificates are renewed
    authorization: Callable[[], str] = lambda: ""  #: value of the header; empty for none

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class WebAnswer:
    """The answer to one request."""

    code: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    @property
    def content_type(self) -> str:
        """Media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def retry_after_s(self) -> float:
        """Seconds for which the archive asks to be left alone (RFC 9110 10.2.3); 0 for none."""
        told = self.headers.get("retry-after", "").strip()
        try:
            asked_s = float(told) if told.isdigit() else _seconds_until(told)
        except (ValueError, TypeError, OverflowError):
            return 0.0
        return min(max(asked_s, 0.0), LONGEST_RETRY_AFTER_S)


def basic_authorization(user: str, password: str) -> str:
    """The Authorization header of HTTP Basic."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def exchange(
    archive: WebArchive,
    path: str,
    deadline: Deadline,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> WebAnswer:
    """Send one request, POST where it has a body and GET otherwise, and read the answer.

    Args:
        path: below the archive's address, with the query.

    Raises:
        DeliveryDeferredError: it cannot be reached, is too slow, or does not speak HTTP.
    """
    connection = _connection(archive)
    sent = {**headers, "Connection": "close"}
    if authorization := archive.authorization():
        sent["Authorization"] = authorization
    if body is not None:
        sent["Content-Length"] = str(len(body))
    method = "GET" if body is None else "POST"
    target = f"{urlsplit(archive.url).path.rstrip('/')}{path}"
    try:
        connection.connect()
        wire = connection.sock  # the client lets go of it before the answer is read
        with deadline.closing(lambda: hang_up(wire)):
            connection.request(method, target, None if body is None else _parts(body), sent)
            answer = connection.getresponse()
            return WebAnswer(answer.status, _headers(answer), _read(answer, archive, deadline))
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        if deadline.is_over:
            raise DeliveryDeferredError(
                f"{archive} has not answered within {deadline.limit_s:.0f} s"
            ) from None
        # The library's own message is left out: it may quote what was sent.
        raise DeliveryDeferredError(f"{archive} {words_of(error)}") from None
    finally:
        connection.close()


def _connection(archive: WebArchive) -> http.client.HTTPConnection:
    parts = urlsplit(archive.url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=archive.timeout_s, context=archive.tls()
        )
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=archive.timeout_s)


def _parts(body: bytes) -> Iterator[bytes]:
    """A body in pieces: the time-out is for each, and not for a large object altogether."""
    for begin in range(0, len(body), READ_BYTES):
        yield body[begin : begin + READ_BYTES]


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}


def _read(answer: http.client.HTTPResponse, archive: WebArchive, deadline: Deadline) -> bytes:
    found = bytearray()
    while part := answer.read1(READ_BYTES):
        found += part
        if len(found) > LONGEST_ANSWER_BYTES:
            raise DeliveryDeferredError(
                f"{archive} answers with more than {LONGEST_ANSWER_BYTES >> 20} MiB"
            )
        if deadline.is_over:
            raise TimeoutError
    if answer.length:  # of what was announced
        raise http.client.IncompleteRead(bytes(found), answer.length)
    return bytes(found)


def _seconds_until(moment: str) -> float:
    return parsedate_to_datetime(moment).timestamp() - time.time()
