"""Looks at everything that a node stands on; each look says what it saw, and what to do."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vfnode.dicom.templates import templates_dir
from vfnode.durable_files import link_once
from vfnode.errors import VfnodeError
from vfnode.node.operations.access import writable_database_of
from vfnode.node.operations.echoing import echo
from vfnode.node.operations.status import Level
from vfnode.node.settings.settings import Settings
from vfnode.node.spool_lock import is_held

MODELS_S = 300.0  #: that loading them may take on a slow disk
FEW_DAYS, VERY_FEW_DAYS = 30, 7  #: of a certificate
FILES_A_CONNECTION, FILES_BESIDE = 2, 200
UNSYNCHRONISED = 5  #: TIME_ERROR of adjtimex(2)
TIMEX_BYTES = 512  #: more than struct timex takes
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Check:
    """One look: what was seen, and what to do where it is not well."""

    name: str
    level: Level
    seen: str
    remedy: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    """Look at one thing after the other, slow ones last; nothing is left behind."""
    for look in LOOKS:
        yield look(settings)
    for section in settings.destinations:
        yield _destination(settings, section.name)
    yield _models(settings)


def _spool(settings: Settings) -> Check:
    spool = settings.node.spool.absolute()
    if not spool.is_dir():
        remedy = "it is made at the first `vfnode serve`; or name the right one in [node] spool"
        return Check("spool", Level.WARNING, f"there is no folder {spool}", remedy)
    probe = spool / f".doctor-{uuid.uuid4().hex}"
    try:
        link_once(probe, b"", spool)
    except OSError as error:
        remedy = "it must be a local disk with hard links that the user of the node can write"
        return Check("spool", Level.CRITICAL, f"{spool}: {error.strerror}", remedy)
    finally:
        probe.unlink(missing_ok=True)
    free = shutil.disk_usage(spool).free / 1e9
    return Check("spool", Level.OK, f"{spool} can be written, {free:.1f} GB free")


def _permissions(settings: Settings) -> Check:
    """Patients' images and secrets are for the user of the node alone."""
    secret = [settings.node.spool, settings.tls.private_key]
    secret += [section.password_file for section in settings.destinations]
    open_to_all = [
        str(path)
        for path in secret
        if path is not None and path.exists() and path.stat().st_mode & OTHERS
    ]
    if not open_to_all:
        return Check("permissions", Level.OK, "spool, key and passwords are the node's alone")
    remedy = f"chmod go= {' '.join(open_to_all)}"
    return Check("permissions", Level.WARNING, f"others may use {', '.join(open_to_all)}", remedy)


def _database(settings: Settings) -> Check:
    if not settings.node.spool.is_dir():
        return Check("database", Level.WARNING, "not looked at: there is no spool yet")
    try:
        with writable_database_of(settings):
            return Check("database", Level.OK, "can be read and written")
    except VfnodeError as error:
        return Check("database", Level.CRITICAL, str(error))


def _port(settings: Settings) -> Check:
    node = settings.node
    where = f"{node.host}:{node.port}"
    if is_held(node.spool):
        return Check("port", Level.OK, f"a node runs; `vfnode status` says how {where} stands")
    try:
        with socket.create_server((node.host, node.port), family=_family(node.host)):
            return Check("port", Level.OK, f"{where} is free for `vfnode serve`")
    except OSError as error:
        remedy = "`ss -ltnp` shows what listens there; stop it, or choose another [node] port"
        return Check("port", Level.CRITICAL, f"{where}: {error.strerror}", remedy)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _fonts(_settings: Settings) -> Check:
    folder = templates_dir() / "fonts"
    if any(folder.glob("*.ttf")):
        return Check("fonts", Level.OK, f"{folder}")
    remedy = "install vfnode again: its data files are missing"
    return Check("fonts", Level.CRITICAL, f"there is no font in {folder}", remedy)


def _certificate(settings: Settings) -> Check:
    path = settings.tls.certificate
    if path is None:
        return Check("certificate", Level.OK, "none is set: no TLS")
    days = days_left(path, datetime.now(UTC))
    if days is None:
        remedy = "is it PEM, and may this user read it? `openssl x509 -in FILE -enddate` tries it"
        return Check("certificate", Level.CRITICAL, f"{path} cannot be read", remedy)
    level = Level.WARNING if days < FEW_DAYS else Level.OK
    level = Level.CRITICAL if days < VERY_FEW_DAYS else level
    remedy = "have it renewed, see docs/tls.md" if level else ""
    return Check("certificate", level, f"{path}: {days} days left", remedy)


def days_left(path: Path, now: datetime) -> int | None:
    """Days that a PEM certificate is good for; None where it cannot be read."""
    command = ["openssl", "x509", "-in", str(path), "-noout", "-enddate"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        end = datetime.strptime(told.partition("=")[2].strip(), "%b %d %H:%M:%S %Y %Z")
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return (end.replace(tzinfo=UTC) - now).days


def _clock(_settings: Settings) -> Check:
    """Dates of reports come from it; whether a time server keeps it, the kernel knows."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if state != UNSYNCHRONISED:
        return Check("clock", Level.OK, f"{now}, kept by a time server")
    remedy = "`timedatectl` shows it; install chrony or systemd-timesyncd (a container's host too)"
    return Check("clock", Level.WARNING, f"{now}, no time server keeps it", remedy)


def _limits(settings: Settings) -> Check:
    wanted = FILES_A_CONNECTION * settings.receiving.max_connections + FILES_BESIDE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Check("limits", Level.OK, f"{soft} open files")
    remedy = f"LimitNOFILE={wanted} in the unit, or fewer [receiving] max_connections"
    return Check("limits", Level.WARNING, f"{soft} open files, {wanted} may be needed", remedy)


def _destination(settings: Settings, name: str) -> Check:
    found = echo(settings, name)
    if found.trouble:
        remedy = f"is it up, and does it know {settings.node.ae_title}? `vfnode echo {name}` again"
        return Check(f"to {name}", Level.CRITICAL, found.trouble, remedy)
    if found.note:
        remedy = "a report goes in another form where there is one; the rest waits for a person"
        return Check(f"to {name}", Level.WARNING, found.note, remedy)
    return Check(f"to {name}", Level.OK, f"answers, {found.seconds:.1f} s")


def _models(settings: Settings) -> Check:
    """In a process of its own, as the node does it: this one is to stay without torch."""
    command = [sys.executable, "-m", "vfnode.cli", "models", "verify"]
    if settings.compute.models is not None:
        command += ["--models", str(settings.compute.models)]
    if settings.compute.device == "cuda":
        no_gpu = "import sys, torch; sys.exit(not torch.cuda.is_available())"
        if subprocess.run([sys.executable, "-c", no_gpu], check=False).returncode:
            remedy = "`nvidia-smi` shows the GPUs; or set [compute] device to auto"
            return Check("models", Level.CRITICAL, "torch finds no CUDA device", remedy)
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=MODELS_S, env=os.environ
        )
    except subprocess.TimeoutExpired:
        return Check("models", Level.CRITICAL, f"not loaded within {MODELS_S:.0f} s")
    if told.returncode:
        remedy = "install vfnode again, or name the right folder in [compute] models"
        return Check("models", Level.CRITICAL, told.stderr.strip().splitlines()[-1], remedy)
    return Check("models", Level.OK, f"{len(told.stdout.splitlines())} verified and loaded")


LOOKS: tuple[Callable[[Settings], Check], ...] = (
    _spool,
    _permissions,
    _database,
    _port,
    _fonts,
    _certificate,
    _clock,
    _limits,
)
