"""Settings of the port: senders, limits, TLS."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from vfnode.node.settings.section import Section


class ReceivingSection(Section):
    """Receiving images: who may send, limits, and when a series counts as complete."""

    quiet_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds without a new instance, and without an open association that fed "
        "the series, after which the series is complete. Choose more where a sender "
        "pauses between slices.",
    )
    gap_wait_s: float = Field(
        default=60.0,
        ge=0,
        le=86400,
        description="Seconds without a new instance after which a series is complete although "
        "slices are missing within it: the rest may be on its way. Then the series "
        "is analysed as it is, or rejected with a reason; late slices start another "
        "run.",
    )
    open_wait_s: float = Field(
        default=60.0,
        ge=0,
        le=86400,
        description="Seconds without a new instance after which a series is complete although the "
        "association that fed it is still open, as routers keep theirs for ever. At least quiet_s.",
    )
    study_wait_s: float = Field(
        default=600.0,
        gt=0,
        le=86400,
        description="Seconds that a complete series waits at most for other series of its study "
        "that are still arriving (choice.series = 'best'). One that comes later and is better "
        "replaces its result.",
    )
    other_objects: Literal["refuse", "drop"] = Field(
        default="refuse",
        description="Treatment of objects that are no CT. 'refuse': their classes are not "
        "accepted, which is logged. 'drop': they are taken and not kept, for routers that send "
        "whole studies and break off at the first refusal.",
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
    pdu_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds for one PDU, and one more for every 10 kB that came: a sender that "
        "drips single bytes frees its place although it is never idle.",
    )
    object_timeout_s: float = Field(
        default=300.0,
        gt=0,
        description="Seconds for one instance, and one more for every 10 kB that came.",
    )
    memory_mb: int = Field(
        default=1024,
        ge=1,
        description="Megabytes of instances that are arriving, for all associations together; "
        "beyond it senders are read more slowly. The node takes about four times as much.",
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
    refuse_when_not_ready: bool = Field(
        default=False,
        description="Answer senders 0xA700 (out of resources) while nothing can be analysed, as "
        "without models. Off by default: images are taken, and wait.",
    )
    allowed_callers: tuple[str, ...] = Field(
        default=("*@127.0.0.0/8", "*@::1"),
        description="Senders that are let in: AE title @ address or network, * for any title. "
        "Others are rejected and logged. The default lets in this machine alone; a "
        "node that is opened to a network names its senders, as in 'CT1@192.0.2.7' "
        "or '*@10.1.0.0/16'.",
    )
    check_called_ae_title: bool = Field(
        default=True,
        description="Reject senders that call another AE title than the node's own "
        "(node.ae_title): they have a wrong address book.",
    )
    max_connections: int = Field(
        default=100,
        ge=1,
        le=400,
        description="TCP connections at once, with those that have not asked for an association "
        "yet; more are closed at once. Port checks of load balancers count here. 400 "
        "keeps file descriptors below the 1024 that the DICOM library can watch.",
    )
    max_object_mb: int = Field(
        default=1024,
        ge=1,
        description="Megabytes of one instance; a sender of a larger one loses its connection. "
        "The largest Enhanced CT in use are about half of this. The same limit holds "
        "for one PDU.",
    )
    max_pdu_kb: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Kilobytes of one PDU that senders are asked not to exceed; 0 asks for no "
        "limit, as fewer and longer reads are 20 to 30 % faster.",
    )
    tls: bool = Field(
        default=False,
        description="Speak TLS only on the port (DICOM PS3.15 B.12), with the files of [tls]. "
        "Off by default, as most modalities cannot: decide for each hospital.",
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
        description="Certificate chain of the node, PEM; shown to senders and to destinations.",
    )
    private_key: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/tls/node.key"],
        description="Private key of that certificate, PEM without a pass phrase, readable by the "
        "node only.",
    )
    trusted: Path | None = Field(
        default=None,
        examples=["/etc/vfnode/tls/ca.crt"],
        description="Certificates of the authorities that sign peers' certificates, PEM; a peer "
        "whose certificate none of them signed gets no association.",
    )
