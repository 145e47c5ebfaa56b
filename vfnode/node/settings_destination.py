"""The section of the settings about one receiver of results."""

from __future__ import annotations

from pydantic import Field

from vfnode.node.settings_section import AE_TITLE, Section


class DestinationSection(Section):
    """One receiver of the results; a [[destinations]] table each."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        examples=["pacs"],
        description="Short name for logs and receipts.",
    )
    kind: str = Field(default="dicom", description="How it is reached: 'dicom' sends by C-STORE.")
    ae_title: str = Field(
        pattern=AE_TITLE, examples=["PACS"], description="AE title of the destination."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Host name or address.")
    port: int = Field(default=104, ge=1, le=65535, description="TCP port.")
    tls: bool = Field(
        default=False, description="Whether it is called by TLS, with the files of [tls]."
    )
    tls_check_host: bool = Field(
        default=True,
        description="Whether the destination's certificate must name its host; off where a PACS "
        "has a certificate for its AE title only.",
    )
    commitment: bool = Field(
        default=False,
        description="Whether it must commit to every object (Storage Commitment, N-ACTION) "
        "before the job counts as delivered and may be purged. Off, as not every PACS offers "
        "it. One that answers by a new association must be among receiving.allowed_callers.",
    )
    commitment_wait_s: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description="Seconds to wait for its commitment before the delivery is put off; one "
        "that comes later counts at the next attempt.",
    )
    timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds to wait for a connection or one response."
    )
    attempts: int = Field(
        default=500,
        ge=1,
        description="Attempts before a person is asked (FAILED). 500 is more than three days "
        "with the pauses below: a PACS may be down over a weekend.",
    )
    first_pause_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds before the second attempt; doubles with each attempt.",
    )
    longest_pause_s: float = Field(
        default=600.0, gt=0, description="Seconds that a pause grows to."
    )
