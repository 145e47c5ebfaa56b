"""The tables of the ledger: jobs, deliveries, receipts, their story, and what people asked for."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

jobs = Table(
    "vfnode_jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("patient_digest", String(16), nullable=False),  # no name: reading/series_key.py
    Column("study_instance_uid", String(80), nullable=False, index=True),
    Column("series_instance_uid", String(80), nullable=False, index=True),
    Column("instances", Integer, nullable=False),
    Column("replaces", String(64), nullable=False, default=""),  # job whose report it replaces
    Column("image_bytes", BigInteger, nullable=False, default=0),
    Column("sender", String(80), nullable=False, default=""),  # AE title@address
    Column("state", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("grade", String(16), nullable=False, default=""),  # of the patient, from result.json
    Column("reason_code", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("run", Integer, nullable=False, default=1),
    # Its results may have been sent before this database was made: archives are asked first.
    Column("may_be_held", Boolean, nullable=False, default=False),
    Column("renewed_at", DateTime(timezone=True)),  # a person had it analysed anew
    Column("let_go_at", DateTime(timezone=True)),  # a person lets the spool forget it
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Index("vfnode_jobs_by_time", "created_at", "job_id"),
    Index("vfnode_jobs_by_state", "state", "created_at"),
    Index("vfnode_jobs_by_sender", "sender", "created_at"),
)

deliveries = Table(
    "vfnode_deliveries",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
    Column("next_at", DateTime(timezone=True)),  # of the next attempt, where it waits for one
    Index("vfnode_deliveries_by_destination", "destination", "state"),
)

receipts = Table(
    "vfnode_receipts",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("destination", String(40), primary_key=True),
    Column("job_id", String(64), nullable=False, index=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Column("evidence", String(16), nullable=False, default="success"),
    Index("vfnode_receipts_by_destination", "destination", "stored_at"),
)

#: The story of each job, line by line.
events = Table(
    "vfnode_events",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(64), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("destination", String(40), nullable=False, default=""),
    Column("text", Text, nullable=False),
)

#: Everything that a person told the node to do, and why.
actions = Table(
    "vfnode_actions",
    metadata,
    Column("action_id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", String(16), nullable=False),
    Column("subject", String(64), nullable=False),  # a job or a destination
    Column("who", String(80), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("logged", Boolean, nullable=False, default=False),  # stands in the node's log
)

#: Destinations that get nothing until a person releases them.
holds = Table(
    "vfnode_holds",
    metadata,
    Column("destination", String(40), primary_key=True),
    Column("held_at", DateTime(timezone=True), nullable=False),
    Column("who", String(80), nullable=False),
    Column("reason", Text, nullable=False, default=""),
)

#: The latest echo of each destination.
echoes = Table(
    "vfnode_echoes",
    metadata,
    Column("destination", String(40), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("trouble", Text, nullable=False, default=""),  # empty where it answered
    Column("answered_at", DateTime(timezone=True)),
)
