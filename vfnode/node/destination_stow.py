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
    SettingsError,
)
from vfnode.node.archive_query import identifier
from vfnode.node.result_object import OnStored, ResultObject
from vfnode.node.settings import Settings
from vfnode.node.settings_destination import DestinationSection
from vfnode.node.storage_scu import OUT_OF_RESOURCES, PROCESSING_FAILURE

STORED = 0x0000
NOT_NOW = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


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

        Raises:
            DeliveryDeferredError: the archive does not answer or cannot take more now.
            DeliveryRefusedError: it will never take some of the objects.
        """
        refusals = []
        for each in objects:
            try:
                status = self._store(each)
            except DeliveryRefusedError as error:
                refusals.append(str(error))
            else:
                on_stored(each, status)
        if refusals:
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
            code = HTTPStatus.BAD_GATEWAY if error.response is None else error.response.status_code
            raise self._error_of(code) from None
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

    def _error_of(self, code: int) -> DeliveryError:
        later = code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in NOT_NOW
        kind = DeliveryDeferredError if later else DeliveryRefusedError
        return kind(f"{self._url} answered HTTP {code}")

    def _failure(self, failed: Dataset) -> DeliveryError:
        reason = int(failed.get("FailureReason", PROCESSING_FAILURE))
        later = reason in OUT_OF_RESOURCES or reason == PROCESSING_FAILURE
        kind = DeliveryDeferredError if later else DeliveryRefusedError
        return kind(f"{self._url} stored nothing: 0x{reason:04X}")


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
