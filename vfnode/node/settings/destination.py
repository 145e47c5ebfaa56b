"""Settings of one receiver of results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.node.settings.section import AE_TITLE, Section


@dataclass(frozen=True)
class DestinationKind:
    """A protocol by which results go to a destination."""

    name: str  #: as settings name it
    description: str  #: continues "Protocol of the destination: '<name>' ..."
    #: "module:class" of a ``vfnode.node.delivery.destinations.Destination``, called with its
    #: section and the settings of the node
    maker: str
    needs: str  #: field of the section without which it cannot work
    commits: bool = False  #: offers Storage Commitment


_DELIVERY = "vfnode.node.delivery"
KINDS: tuple[DestinationKind, ...] = (
    DestinationKind(
        "dicom", "sends by C-STORE", f"{_DELIVERY}.cstore:CStoreDestination", "ae_title", True
    ),
    DestinationKind("stow", "by DICOMweb STOW-RS", f"{_DELIVERY}.stow:StowDestination", "url"),
    DestinationKind("folder", "writes files", f"{_DELIVERY}.folder:FolderDestination", "folder"),
)
#: The outputs that can be sent.
SENT = tuple(output.name for output in OUTPUTS if output.is_dicom)
ATTEMPT_TIMEOUTS = 10  #: in one attempt: a job has four to ten objects


class DestinationSection(Section):
    """A receiver of the results; one [[destinations]] table for each."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        examples=["pacs"],
        description="Short name for logs and receipts.",
    )
    kind: str = Field(
        default="dicom",
        description="Protocol of the destination: "
        f"{', '.join(f'{kind.name!r} {kind.description}' for kind in KINDS)}.",
    )
    positives_only: bool = Field(
        default=False,
        description="Send only results with a moderate or severe fracture, as a worklist for a "
        "fracture service wants. Off by default: a normal result is a result.",
    )
    objects: tuple[str, ...] = Field(
        default=(),
        examples=[["report", "picture"]],
        description="Objects that are sent, of those that [results] makes: "
        f"{', '.join(SENT)}. Empty: all of them.",
    )
    ae_title: str = Field(
        default="",
        pattern=f"^$|{AE_TITLE}",
        examples=["PACS"],
        description="AE title of the destination; kind 'dicom' needs it.",
    )
    folder: Path | None = Field(
        default=None,
        examples=["/srv/results"],
        description="Kind 'folder': folder that gets <study UID>/<SOP instance UID>.dcm. While "
        "it does not exist, as a share that is not mounted, deliveries wait.",
    )
    url: str = Field(
        default="",
        pattern=r"^$|^https?://[^@]+$",
        examples=["https://archive.example/dicom-web"],
        description="Kind 'stow': address of the DICOMweb service, without credentials.",
    )
    user: str = Field(
        default="", description="Kind 'stow': user of HTTP Basic, if the service wants one."
    )
    password_file: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/archive.password"],
        description="Kind 'stow': file that holds the password, so that no settings file does.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Host name or address.")
    port: int = Field(default=104, ge=1, le=65535, description="TCP port.")
    tls: bool = Field(
        default=False, description="Call the destination by TLS, with the files of [tls]."
    )
    tls_check_host: bool = Field(
        default=True,
        description="Demand that the destination's certificate names its host; turn off for a "
        "PACS whose certificate names its AE title only.",
    )
    commitment: bool = Field(
        default=False,
        description="Demand Storage Commitment (N-ACTION) for every object before the job counts "
        "as delivered and may be purged. Off by default, as not every PACS offers "
        "it. A PACS that answers by a new association must be among "
        "receiving.allowed_callers.",
    )
    commitment_wait_s: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description="Seconds to wait for the commitment before the delivery is put off; a "
        "commitment that comes later counts at the next attempt.",
    )
    query_before_resend: bool = Field(
        default=True,
        description="Ask the destination (C-FIND, QIDO-RS) for an object whose sending was "
        "interrupted before sending it again. A destination that cannot be asked "
        "gets the object again, with the same UID. Turn off for a PACS that takes "
        "long to refuse a query.",
    )
    timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds to wait for a connection or one response."
    )
    attempt_timeout_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds that one attempt may take altogether; then its connection is closed, "
        "whatever comes on it, and what is left goes with the next attempt. 0: ten times "
        "timeout_s.",
    )
    attempts: int = Field(
        default=500,
        ge=1,
        description="Attempts before the job FAILED and a person is asked. 500 is more than "
        "three days with the pauses below: a PACS may be down over a weekend.",
    )
    first_pause_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds before the second attempt; each further pause is twice as long.",
    )
    longest_pause_s: float = Field(
        default=600.0, gt=0, description="Longest pause between two attempts, seconds."
    )

    @field_validator("kind")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return kind_of(name).name

    @field_validator("objects")
    @classmethod
    def _can_be_sent(cls, objects: tuple[str, ...]) -> tuple[str, ...]:
        for name in objects:
            if name not in SENT:
                raise ValueError(f"{name!r} is none of {', '.join(SENT)}")
        return objects

    @property
    def limit_s(self) -> float:
        """Seconds that one attempt may take altogether."""
        return self.attempt_timeout_s or ATTEMPT_TIMEOUTS * self.timeout_s

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> DestinationSection:
        kind = kind_of(self.kind)
        if not getattr(self, kind.needs):
            raise ValueError(f"{kind.needs} must be given for kind {kind.name!r}")
        if self.commitment and not kind.commits:
            raise ValueError(f"kind {kind.name!r} knows no commitment")
        return self


def kind_of(name: str) -> DestinationKind:
    """A kind by its name.

    Raises:
        ValueError: there is none of this name; says which there are.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ValueError(f"{name!r} is none of {', '.join(kind.name for kind in KINDS)}")
