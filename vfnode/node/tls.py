"""TLS as DICOM PS3.15 B.12 wants it: the non-downgrading profile of BCP 195.

TLS 1.2 and 1.3, forward secrecy and authenticated encryption only, certificates both ways.
"""

from __future__ import annotations

import ssl

import structlog

from vfnode.errors import SettingsError
from vfnode.node.settings.receiving import TLSSection

log = structlog.get_logger()

# RFC 9325 4.2; TLS 1.3 brings its own suites, all of which are good.
CIPHERS_OF_TLS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


def server_context(section: TLSSection) -> ssl.SSLContext:
    """TLS of the node's port: it wants a certificate of every caller.

    Raises:
        SettingsError: a file is not given or cannot be used.
    """
    return _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), section)


class RenewedContext:
    """The port's side of TLS, made anew when one of its files has been replaced.

    Args:
        section: names the files.

    Raises:
        SettingsError: a file is not given or cannot be used.
    """

    def __init__(self, section: TLSSection) -> None:
        self._section = section
        self._stamps = _stamps(section)
        self._context = server_context(section)

    def current(self) -> ssl.SSLContext:
        """The context for the next connection; the one before where new files cannot be used."""
        stamps = _stamps(self._section)
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = server_context(self._section)
                log.info("certificates taken up")
            except SettingsError as error:  # half of them is replaced, or they are wrong
                log.warning("certificates not taken up", reason=str(error))
        return self._context


def _stamps(section: TLSSection) -> list[tuple[int, int] | None]:
    """Time and size of each file."""
    found: list[tuple[int, int] | None] = []
    for path in (section.certificate, section.private_key, section.trusted):
        try:
            state = path.stat() if path else None
        except OSError:
            state = None
        found.append((state.st_mtime_ns, state.st_size) if state else None)
    return found


def client_context(section: TLSSection, *, check_host: bool) -> ssl.SSLContext:
    """TLS of a call to a destination: the node shows its certificate and wants the other's.

    Raises:
        SettingsError: a file is not given or cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_host
    return _load(context, section)


def _load(context: ssl.SSLContext, section: TLSSection) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_TLS_1_2)
    context.verify_mode = ssl.CERT_REQUIRED
    for name in ("certificate", "private_key", "trusted"):
        path = getattr(section, name)
        if path is None:
            raise SettingsError(f"tls.{name}: must be given where TLS is on; see docs/tls.md")
        if not path.is_file():
            raise SettingsError(f"tls.{name}: there is no file {path}")
    assert section.certificate is not None
    try:
        context.load_cert_chain(section.certificate, section.private_key)
        context.load_verify_locations(section.trusted)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"tls: the files cannot be used ({error.strerror or error}); are they PEM, does the "
            "key belong to the certificate, may the node read them?"
        ) from error
    return context
