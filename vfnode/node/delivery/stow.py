"""The destination kind 'stow': objects by DICOMweb STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from vfnode.errors import DeliveryDeferredError, SettingsError
from vfnode.node.delivery.answers import (
    ALREADY_STORED,
    STORED,
    Verdict,
    error_of,
    meaning_of_http,
    meaning_of_status,
)
from vfnode.node.delivery.archive_query import identifier
from vfnode.node.delivery.deadline import Deadline
from vfnode.node.delivery.object_forms import forms_of
from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.delivery.sending import send_each
from vfnode.node.delivery.web import WebAnswer, WebArchive, basic_authorization, exchange
from vfnode.node.delivery.web_answers import found_instances, store_report
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings
from vfnode.node.tls import client_context

JSON = {"Accept": "application/dicom+json"}
PROCESSING_FAILURE = 0x0110
ECHO_S = 10.0  #: that a person waits for an answer


class StowDestination:
    """An archive that takes objects by HTTP.

    Args:
        section: its settings.
        settings: those of the node: its certificates.

    Raises:
        SettingsError: the password file cannot be read, or TLS files are not given.
    """

    def __init__(self, section: DestinationSection, settings: Settings) -> None:
        self._section = section
        self._archive = WebArchive(
            url=section.url,
            timeout_s=section.timeout_s,
            tls=partial(_tls, section, settings),
            authorization=partial(_authorization, section),
        )
        # Made once here so that a wrong file is told at the start.
        self._archive.tls()
        self._archive.authorization()

    def send(self, objects: Sequence[ResultObject], on_stored: OnStored) -> None:
        """Send objects in this order; one that is refused does not hold up the others.

        A report whose kind is refused goes in the next of its forms, and that form is told of.

        Raises:
            DeliveryDeferredError: the archive does not answer or cannot take more now.
            DeliveryRefusedError: it will never take some of the objects.
        """
        deadline = Deadline(self._section.limit_s)
        send_each(objects, forms_of, lambda form: self._store(form, deadline), on_stored)

    def held(self, objects: Sequence[ResultObject]) -> set[str]:
        """What it has, by QIDO-RS (PS3.18 10.6).

        Raises:
            DeliveryDeferredError: it does not answer, or offers no search.
        """
        deadline = Deadline(self._section.limit_s)
        return {result.sop_instance_uid for result in objects if self._finds(result, deadline)}

    def echo(self) -> str:
        """A search for one study (QIDO-RS): whoever answers it lets the node in.

        Returns:
            Empty: what it takes is not negotiated.

        Raises:
            DeliveryError: it does not answer, or lets the node not in.
        """
        answer = exchange(self._archive, "/studies?limit=1", Deadline(ECHO_S), JSON)
        if answer.code >= HTTPStatus.MULTIPLE_CHOICES:
            words = meaning_of_http(answer.code).words
            raise DeliveryDeferredError(f"{self._archive} answered {words}")
        return ""

    def _finds(self, result: ResultObject, deadline: Deadline) -> bool:
        wanted = identifier(result)
        series = f"/studies/{wanted.StudyInstanceUID}/series/{wanted.SeriesInstanceUID}"
        path = f"{series}/instances?SOPInstanceUID={result.sop_instance_uid}"
        answer = exchange(self._archive, path, deadline, JSON)
        if answer.code == HTTPStatus.NO_CONTENT:
            return False
        if answer.code != HTTPStatus.OK:
            raise DeliveryDeferredError(
                f"{self._archive} cannot be searched: {meaning_of_http(answer.code).words}"
            )
        return result.sop_instance_uid in found_instances(answer.body, answer.content_type)

    def _store(self, form: ResultObject, deadline: Deadline) -> int:
        boundary = uuid.uuid4().hex
        kind = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
        body = b"".join(
            [
                f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
                form.path.read_bytes(),
                f"\r\n--{boundary}--\r\n".encode(),
            ]
        )
        headers = {**JSON, "Content-Type": kind}
        answer = exchange(self._archive, "/studies", deadline, headers, body)
        return self._status(answer, form, deadline)

    def _status(self, answer: WebAnswer, form: ResultObject, deadline: Deadline) -> int:
        """The status an object was stored with, as far as the answer names that object.

        Raises:
            DeliveryError: it was not stored, or nothing says so.
        """
        report = store_report(answer.body, answer.content_type)
        for uid, reason in report.failed:
            if uid in ("", form.sop_instance_uid):
                return self._failed(reason, uid, answer, form, deadline)
        for uid, reason in report.stored:
            if uid == form.sop_instance_uid and answer.code < HTTPStatus.MULTIPLE_CHOICES:
                return STORED if reason is None else reason
        if answer.code == HTTPStatus.CONFLICT and self._is_known(form, deadline):
            return ALREADY_STORED
        raise self._unstored(answer)

    def _failed(
        self,
        reason: int | None,
        uid: str,
        answer: WebAnswer,
        form: ResultObject,
        deadline: Deadline,
    ) -> int:
        """The status of an object on the list of the failed: perhaps it is there already."""
        meaning = meaning_of_status(PROCESSING_FAILURE if reason is None else reason)
        if meaning.verdict is not Verdict.STORED:
            raise error_of(meaning, str(self._archive), answer.retry_after_s)
        if uid or self._is_known(form, deadline):
            return reason or ALREADY_STORED
        raise DeliveryDeferredError(f"{self._archive} has an object already, but not which")

    def _is_known(self, form: ResultObject, deadline: Deadline) -> bool:
        """Whether a search finds the object; also where the archive cannot be searched: no."""
        try:
            return self._finds(form, deadline)
        except DeliveryDeferredError:
            return False

    def _unstored(self, answer: WebAnswer) -> Exception:
        if answer.code < HTTPStatus.MULTIPLE_CHOICES:
            return DeliveryDeferredError(f"{self._archive} did not say that it stored this object")
        meaning = meaning_of_http(answer.code)
        if meaning.verdict is not Verdict.LATER:
            return error_of(meaning, str(self._archive))
        words = meaning.words
        if answer.code < HTTPStatus.BAD_REQUEST:
            words += f", moved to {_without_secrets(answer.headers.get('location', 'nowhere'))}"
        return DeliveryDeferredError(f"{self._archive} answered {words}", answer.retry_after_s)


def _without_secrets(location: str) -> str:
    """An address without what stands before its host and after its path."""
    try:
        parts = urlsplit(location)
        host = f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is none"
    return f"{host}{port}{parts.path}"[:200]


def _tls(section: DestinationSection, settings: Settings) -> ssl.SSLContext:
    """With tls = true the files of [tls]; otherwise the authorities of this machine.

    Where the environment points elsewhere (SSL_CERT_FILE, REQUESTS_CA_BUNDLE) is not looked at:
    who may have a patient's objects stands in the settings alone.
    """
    if section.tls:
        return client_context(settings.tls, check_host=section.tls_check_host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if file.is_file() or folder.is_dir():
        context.load_verify_locations(
            file if file.is_file() else None, folder if folder.is_dir() else None
        )
    return context


def _authorization(section: DestinationSection) -> str:
    if not section.user:
        return ""
    if section.password_file is None:
        raise SettingsError(f"destinations.{section.name}.password_file: must be given with user")
    try:
        password = section.password_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise SettingsError(
            f"destinations.{section.name}.password_file: cannot be read: {reason}"
        ) from error
    return basic_authorization(section.user, password)
