"""The composition root: every part of the node is made and joined here, and nowhere else."""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sdnotify
import structlog

from vfnode.dicom.reading.series_facts import FactsCache
from vfnode.errors import SettingsError, VfnodeError
from vfnode.node.clock import Duties, start_clock
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.compute.client import ComputeClient, compute_program
from vfnode.node.delivery.commitment import Commitments
from vfnode.node.delivery.commitment_book import CommitmentBook
from vfnode.node.delivery.destinations import make_destinations
from vfnode.node.installation import device_uid
from vfnode.node.jobs.intake import Intake
from vfnode.node.jobs.job_folder import inbox_folder
from vfnode.node.jobs.ledger import Ledger
from vfnode.node.jobs.parts import ComputeService, Parts
from vfnode.node.jobs.retention import make_room, purge, remove_let_go
from vfnode.node.jobs.workflows import Workflows
from vfnode.node.logs import LogFormat, configure_logs
from vfnode.node.operations.echoing import Echoes
from vfnode.node.operations.journal import Journal
from vfnode.node.readiness import ReadinessTeller
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.notice import NoticeBoard
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.settings.settings import Settings
from vfnode.node.spool_lock import hold_spool
from vfnode.node.start import PATIENCE_S, Start

MEGABYTE = 1_000_000
EXIT_DONE, EXIT_ERROR, EXIT_SETTINGS = 0, 1, 78  #: 78: EX_CONFIG of sysexits.h
RECEIVING_PATIENCE_S = 10.0  #: that a stopping node has for senders in mid-series
SIGNAL_LOOK_S = 0.5
DELIVERY_PATIENCE_S = 5  #: and for results on their way

log = structlog.get_logger()


def run(
    settings: Settings, program: ChildProgram | None = None, log_format: LogFormat = "json"
) -> int:
    """Run the whole node until SIGTERM or SIGINT.

    Args:
        program: the compute child, if not the one that holds the models.
        log_format: json for programs, console for people.

    Returns:
        Exit code: 0 after a clean stop, 78 where the settings are wrong, 1 where the machine
        was not ready for so long that it is better begun anew.
    """
    configure_logs(settings.node.log_level, log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    # A terminal that closes ends no node; certificates are taken up without being told.
    signal.signal(signal.SIGHUP, lambda _number, _frame: log.info("SIGHUP is ignored"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold patients' images
    try:
        with running(settings, program, Start(PATIENCE_S, stop)):
            # The kernel may give a signal to any thread, and Python acts on it in this one alone.
            while not stop.wait(SIGNAL_LOOK_S):
                pass
    except VfnodeError as error:
        if not stop.is_set():
            log.critical("not started", reason=str(error))
            return EXIT_SETTINGS if isinstance(error, SettingsError) else EXIT_ERROR
    _leave_unfinished_deliveries()
    return EXIT_DONE


@contextmanager
def running(
    settings: Settings, program: ChildProgram | None = None, start: Start | None = None
) -> Iterator[None]:
    """A node that runs while the body does, and is stopped part by part after it.

    Args:
        start: how long a machine that is not ready is waited for; not at all without it.
    """
    systemd, start = sdnotify.SystemdNotifier(), start or Start()
    with ExitStack() as stack:
        stack.enter_context(start.when_ready(lambda: hold_spool(settings.node.spool)))
        own = compute_program(settings, device_uid(settings.node.spool))
        parts = _make_parts(settings, program or own, stack, start)
        completeness = Completeness(_quiet_rule(settings), time.monotonic)
        completeness.found(parts.inbox.series())
        facts = FactsCache()
        workflows = Workflows(parts, facts)
        intake = Intake(parts, completeness, facts, workflows.begin)
        scp = StorageSCP(
            settings,
            parts.inbox,
            completeness,
            parts.commitments.handle_report,
            lambda: parts.compute.trouble if settings.receiving.refuse_when_not_ready else "",
        )
        readiness = ReadinessTeller(settings.node.spool, systemd.notify)
        readiness.tell(parts.compute.trouble)
        notice = NoticeBoard(settings, completeness, scp.other_objects)
        stack.callback(workflows.stop, DELIVERY_PATIENCE_S)
        stack.callback(parts.commitments.stop)
        workflows.start()
        duties = Duties(
            sweep=intake.sweep,
            take_up=intake.take_up,
            notice=notice.update,
            watch=lambda: watch(parts.compute, readiness, workflows),
            echo=lambda: Echoes(parts.ledger.engine).refresh(settings),
            tell_actions=Journal(parts.ledger.engine).tell,
            purge=lambda: purge(parts, completeness),
            remove_let_go=lambda: remove_let_go(parts, completeness),
            make_room=lambda: make_room(parts, completeness),
            heartbeat=lambda: systemd.notify("WATCHDOG=1"),
        )
        stack.callback(start_clock(duties, settings.receiving.quiet_s).shutdown)
        stack.callback(parts.compute.stop)  # before the clock, whose duty may wait for a child
        stack.callback(scp.stop, RECEIVING_PATIENCE_S)
        start.when_ready(scp.start)
        systemd.notify("READY=1")
        log.info("listening", ae_title=settings.node.ae_title, port=settings.node.port)
        yield
        systemd.notify("STOPPING=1")
        log.info("stopping")
    log.info("stopped")


def watch(compute: ComputeService, readiness: ReadinessTeller, workflows: Workflows) -> None:
    """Watch all the time: a child that can work, and work that has a worker."""
    workflows.sweep()
    compute.look()
    readiness.tell(compute.trouble)


def _quiet_rule(settings: Settings) -> QuietRule:
    receiving = settings.receiving
    by_study = settings.choice.series == "best"
    return QuietRule(
        receiving.quiet_s,
        receiving.open_wait_s,
        receiving.gap_wait_s,
        receiving.study_wait_s if by_study else 0.0,
    )


def _make_parts(settings: Settings, program: ChildProgram, stack: ExitStack, start: Start) -> Parts:
    destinations = make_destinations(settings)
    if not destinations:
        log.warning("no destinations: results stay in the spool")
    ledger = start.when_ready(lambda: Ledger.open(settings.database_url))
    stack.callback(ledger.close)
    inbox = Inbox(inbox_folder(settings), settings.receiving.reserve_mb * MEGABYTE)
    dropped = inbox.drop_unfinished()
    log.info("inbox", unfinished_dropped=dropped)
    compute = ComputeClient(program)
    stack.callback(compute.stop)
    start.when_ready(compute.start)
    titles = {section.name: section.ae_title for section in settings.destinations}
    commitments = Commitments(CommitmentBook(ledger.engine), titles, ledger.reopen)
    return Parts(settings, inbox, ledger, compute, destinations, commitments)


def _leave_unfinished_deliveries() -> None:
    """End the process although a destination keeps a delivery waiting.

    Python would wait for its thread, for as long as the destination's time-out. As the
    next start goes on after a kill, it goes on after this.
    """
    logging.shutdown()
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        os._exit(0)
