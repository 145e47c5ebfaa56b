"""The sections of the settings about who may send, how, and under which protection."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator

from vfnode.node.settings.section import Section


class ReceivingSection(Section):
    """How instances come in, and when a series counts as complete."""

    quiet_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds without a new instance, and without an open association that fed "
        "the series, after which it is complete. Longer where a sender pauses between slices.",
    )
    gap_wait_s: float = Field(
        default=60.0,
        ge=0,
        le=86400,
        description="Seconds without a new instance after which a series is complete although "
        "slices are missing within it: the rest may be on its way. What it can be used for "
        "then, or why not, the result says; late slices start another run.",
    )
    max_associations: int = Field(
        default=25,
        ge=1,
        le=1000,
        description="Associations at once; each costs a thread and a socket.",
    )
    idle_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds without a byte from the sender after which its association is "
        "dropped, so that a dead sender frees its place.",
    )
    association_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds for a sender to finish association negotiation."
    )
    reserve_mb: int = Field(
        default=1024,
        ge=0,
        description="Megabytes of the spool's disk that stay free: below it new instances are "
        "answered 0xA700 (out of resources), before anything can be cut short.",
    )
    allowed_callers: tuple[str, ...] = Field(
        default=("*@127.0.0.0/8", "*@::1"),
        description="Who may send: AE title @ address or network, * for any title. Others are "
        "rejected and logged. Loopback only by default: whoever opens the node to a network "
        "says to whom, as in 'CT1@192.0.2.7' or '*@10.1.0.0/16'.",
    )
    check_called_ae_title: bool = Field(
        default=True,
        description="Whether senders must call the node's own AE title (node.ae_title): a call "
        "for somebody else is a wrong address book.",
    )
    max_connections: int = Field(
        default=100,
        ge=1,
        le=400,
        description="TCP connections at once, those that have not asked for an association yet "
        "included; more are closed at once. Port checks of load balancers come here. 400 keeps "
        "file descriptors below the 1024 that the DICOM library can watch.",
    )
    max_object_mb: int = Field(
        default=1024,
        ge=1,
        description="Megabytes of one instance; a sender of more loses its connection. The "
        "largest Enhanced CT in use are about half of it. It is also the largest PDU.",
    )
    max_pdu_kb: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Kilobytes of one PDU that senders are asked not to exceed; 0 leaves it to "
        "them, as fewer and longer reads are 20 to 30 % faster.",
    )
    tls: bool = Field(
        default=False,
        description="Whether the port speaks TLS only (DICOM PS3.15 B.12), with the files of "
        "[tls]. Off, as most modalities cannot: decide per hospital.",
    )

    @field_validator("allowed_callers")
    @classmethod
    def _networks(cls, callers: tuple[str, ...]) -> tuple[str, ...]:
        for caller in callers:
            title, at, network = caller.rpartition("@")
            if not (title and at):
                raise ValueError(f"{caller!r} is not 'AE title@address'; write *@ for any title")
            ip_network(network, strict=False)
        return callers


class TLSSection(Section):
    """Certificates, for the port and for destinations with tls = true (docs/tls.md)."""

    certificate: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/tls/node.crt"],
        description="The node's certificate chain, PEM. It is shown to both sides.",
    )
    private_key: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/tls/node.key"],
        description="Its private key, PEM without a pass phrase, readable by the node only.",
    )
    trusted: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/tls/ca.crt"],
        description="Certificates of the authorities that peers' certificates must come from, "
        "PEM; without one that it signed nobody gets an association.",
    )
