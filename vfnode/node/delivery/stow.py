"""The destination kind 'stow': objects by DICOMweb STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import requests
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from pydicom import Dataset, dcmread

from vfnode.errors import (
    DeliveryDeferredError,
    DeliveryError,
    DeliveryRefusedError,
    ResultError,
    SettingsError,
)
from vfnode.node.delivery.archive_query import identifier
from vfnode.node.delivery.object_forms import forms_of, written_form
from vfnode.node.delivery.result_object import OnStored, ResultObject
from vfnode.node.delivery.storage_scu import OUT_OF_RESOURCES, PROCESSING_FAILURE
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.settings import Settings

STORED = 0x0000
NOT_NOW = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
# PS3.18 Annex I.2: the SOP class is not supported, or the data set does not match it.
OF_THIS_KIND = {0x0122, *range(0xA900, 0xAA00)}
NOT_THIS_KIND = {HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}


class _FormRefusedError(DeliveryRefusedError):
    """It does not take this kind of object: send another form of it."""


class StowDestination:
    """An archive that takes objects by HTTP.

    Args:
        section: its settings.
        settings: those of the node: its certificates.

    Raises:
        SettingsError: the password file cannot be read, or TLS files are not given.
    """

    def __init__(self, section: DestinationSection, settings: Settings) -> None:
        self._url = section.url
        self._client = DICOMwebClient(
            section.url, session=_session(section, settings), timeout=section.timeout_s
        )
        self._client.set_http_retry_params(retry=False)  # waits that survive a kill are ours

    def send(self, objects: Sequence[ResultObject], on_stored: OnStored) -> None:
        """Send objects in this order; one that is refused does not hold up the others.

        A report whose kind is refused goes in the next of its forms, and that form is told of.

        Raises:
            DeliveryDeferredError: the archive does not answer or cannot take more now.
            DeliveryRefusedError: it will never take some of the objects.
        """
        refusals = []
        for each in objects:
            try:
                form, status = self._store_some_form(each)
            except (DeliveryRefusedError, ResultError) as error:
                refusals.append(str(error))
            else:
                on_stored(form, status)
        if refusals:
            raise DeliveryRefusedError("; ".join(refusals))

    def _store_some_form(self, each: ResultObject) -> tuple[ResultObject, int]:
        """The first form that the archive takes, and the status that it stored it with."""
        refusals = []
        for form in forms_of(each):
            try:
                return form, self._store(written_form(form, each))
            except _FormRefusedError as error:
                refusals.append(str(error))
        raise DeliveryRefusedError("; ".join(refusals))

    def held(self, objects: Sequence[ResultObject]) -> set[str]:
        """What it has, by QIDO-RS (PS3.18 10.6).

        Raises:
            DeliveryDeferredError: it does not answer, or offers no search.
        """
        try:
            return {each.sop_instance_uid for each in objects if self._finds(each)}
        except requests.RequestException as error:
            raise DeliveryDeferredError(
                f"{self._url} cannot be searched ({type(error).__name__})"
            ) from None

    def _finds(self, each: ResultObject) -> bool:
        wanted = identifier(each)
        found = self._client.search_for_instances(
            wanted.StudyInstanceUID,
            wanted.SeriesInstanceUID,
            search_filters={"SOPInstanceUID": each.sop_instance_uid},
        )
        return bool(found)

    def _store(self, each: ResultObject) -> int:
        try:
            answer = self._client.store_instances([dcmread(each.path)])
        except requests.HTTPError as error:
            raise self._error_of(error.response) from None
        except requests.RequestException as error:
            # The library's message is left out: it quotes addresses with credentials.
            raise DeliveryDeferredError(
                f"{self._url} does not answer ({type(error).__name__})"
            ) from None
        for failed in answer.get("FailedSOPSequence") or []:
            raise self._failure(failed)
        for stored in answer.get("ReferencedSOPSequence") or []:
            return int(stored.get("WarningReason", STORED))
        raise DeliveryDeferredError(f"{self._url} did not say what it has stored")

    def _error_of(self, response: requests.Response | None) -> DeliveryError:
        code = HTTPStatus.BAD_GATEWAY if response is None else response.status_code
        for failed in _failed(response):
            return self._failure(failed)
        kind: type[DeliveryError] = DeliveryRefusedError
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in NOT_NOW:
            kind = DeliveryDeferredError
        elif code in NOT_THIS_KIND:
            kind = _FormRefusedError
        return kind(f"{self._url} answered HTTP {code}")

    def _failure(self, failed: Dataset) -> DeliveryError:
        reason = int(failed.get("FailureReason", PROCESSING_FAILURE))
        kind: type[DeliveryError] = DeliveryRefusedError
        if reason in OUT_OF_RESOURCES or reason == PROCESSING_FAILURE:
            kind = DeliveryDeferredError
        elif reason in OF_THIS_KIND:
            kind = _FormRefusedError
        return kind(f"{self._url} stored nothing: 0x{reason:04X}")


def _failed(response: requests.Response | None) -> Sequence[Dataset]:
    """The failures that the body of a refusal lists; none where it is no DICOM JSON."""
    if response is None or response.status_code != HTTPStatus.CONFLICT:
        return ()
    try:
        return Dataset.from_json(response.json()).get("FailedSOPSequence") or ()
    except (ValueError, TypeError, KeyError):
        return ()


def _session(section: DestinationSection, settings: Settings) -> requests.Session:
    session = requests.Session()
    if section.user:
        session = create_session_from_user_pass(section.user, _password(section))
    if section.tls:
        tls = settings.tls
        if not (tls.certificate and tls.private_key and tls.trusted):
            raise SettingsError(
                f"destinations.{section.name}.tls: give tls.certificate, tls.private_key and "
                "tls.trusted; see docs/tls.md"
            )
        session.cert = (str(tls.certificate), str(tls.private_key))
        session.verify = str(tls.trusted)
    return session


def _password(section: DestinationSection) -> str:
    if section.password_file is None:
        raise SettingsError(f"destinations.{section.name}.password_file: must be given with user")
    try:
        return section.password_file.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"destinations.{section.name}.password_file: cannot be read: {error.strerror}"
        ) from error
