"""The sections of the settings: each field with its unit, its default and its reason.

The documented TOML that an operator starts from is written from these lines
(``vfnode.node.settings.settings.describe_settings``), so it cannot disagree with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vfnode.node.settings.section import AE_TITLE, Section


class NodeSection(Section):
    """Identity, address and spool of the node."""

    ae_title: str = Field(
        default="VFNODE",
        pattern=AE_TITLE,
        description="AE title that senders call; 1 to 16 characters.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Loopback by default, so that a new node is not open "
        "to the network before someone decides so; 0.0.0.0 listens everywhere.",
    )
    port: int = Field(
        default=11112,
        ge=1,
        le=65535,
        description="TCP port; 11112 is the registered one above 1024.",
    )
    spool: Path = Field(
        default=Path("vfnode-spool"),
        description="Folder of the inbox, the work in progress and the database. A local disk: "
        "a network share may acknowledge what it has not stored.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level of the JSON log lines on standard error."
    )


class ComputeSection(Section):
    """The child process that holds the models."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Device that the networks run on; auto takes a GPU if there is one.",
    )
    models: Path | None = Field(
        default=None,
        examples=["/path/to/models"],
        description="Folder of the model bundles; if absent, those of the package.",
    )
    threads: int = Field(
        default=0, ge=0, le=256, description="CPU threads of the networks; 0 takes one per core."
    )
    time_limit_s: float = Field(
        default=300.0,
        gt=0,
        description="Seconds one series may take. A series that hangs is stopped, tried once "
        "more and then FAILED; a normal one takes seconds.",
    )
    memory_limit_mb: int = Field(
        default=12_000,
        ge=0,
        description="Megabytes of RAM that the child may hold; 0 for no limit. A series that "
        "needs more is stopped, tried once more and then FAILED, before the machine starts to "
        "kill what it finds. A chest CT of 1 mm slices takes about 3000.",
    )


class DatabaseSection(Section):
    """Database of workflows, jobs and receipts."""

    url: str = Field(
        default="",
        description="SQLAlchemy URL. Empty: an SQLite file in the spool, which suits one "
        "machine; postgresql://... if several machines share the work.",
    )


class RetentionSection(Section):
    """Retention: days that finished work stays in the spool."""

    keep_days: float = Field(
        default=7.0,
        gt=0,
        description="Days that the images of a finished job stay in the spool. Images are "
        "removed only when every destination has given a receipt (and a commitment, "
        "if asked for); those of failed jobs stay.",
    )
    keep_results_days: float = Field(
        default=30.0,
        gt=0,
        description="Days that the results of a finished job stay: longer than its images, as "
        "they are small and answer questions.",
    )
    room_mb: int = Field(
        default=4096,
        ge=0,
        description="Megabytes of free room on the spool's disk below which finished jobs are "
        "removed before their days are over, the oldest first. Choose more than "
        "receiving.reserve_mb, so that room is made before senders are turned away.",
    )
