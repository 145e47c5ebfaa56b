"""The story of a job as text."""

from __future__ import annotations

from collections.abc import Iterator

from vfnode.cli.columns import counted, paragraph, second
from vfnode.node.jobs.history import Event
from vfnode.node.operations.story import DeliveryStory, JobStory

LABEL, MOMENT = 14, 34  #: characters of the first column, and of a line of the story
MEGABYTE = 1_000_000


def story_text(story: JobStory) -> str:
    """Everything that is known of a job, wrapped to the terminal."""
    return "\n".join([*_head(story), *_delivery_lines(story), *_event_lines(story)])


def _head(story: JobStory) -> Iterator[str]:
    job = story.job
    grade = f", {job.grade}" if job.grade else ""
    yield paragraph("job", job.job_id, LABEL)
    yield paragraph("state", f"{job.state} at stage {job.stage}{grade}", LABEL)
    if job.reason:
        code = f" [{job.reason_code}]" if job.reason_code else ""
        yield paragraph("reason", f"{job.reason}{code}", LABEL)
    yield paragraph("study", job.study_instance_uid, LABEL)
    yield paragraph("series", job.series_instance_uid, LABEL)
    size = f"{job.instances} images, {job.image_bytes / MEGABYTE:.1f} MB"
    yield paragraph("received", f"{size}, from {job.sender or 'a sender not known'}", LABEL)
    if story.conflicts:
        odd = f"{story.conflicts} images came again with another header; the first were kept"
        yield paragraph("", odd, LABEL)
    if story.why_chosen:
        yield paragraph("why chosen", story.why_chosen, LABEL)
    yield paragraph("results", str(story.results or "none in the spool"), LABEL)


def _delivery_lines(story: JobStory) -> Iterator[str]:
    for delivery in story.deliveries:
        yield paragraph(f"to {delivery.destination}", _delivery(delivery), LABEL)


def _delivery(delivery: DeliveryStory) -> str:
    attempts, stored = counted(delivery.attempts, "attempt"), counted(delivery.stored, "object")
    reason = f": {delivery.reason}" if delivery.reason else ""
    return f"{delivery.state} after {attempts}, {stored} stored{reason}"


def _event_lines(story: JobStory) -> Iterator[str]:
    if story.events:
        yield "story, UTC"
    for event in story.events:
        yield paragraph(f"  {second(event.at)}  {event.kind.value}", _event(event), MOMENT)


def _event(event: Event) -> str:
    return f"{event.destination}: {event.text}" if event.destination else event.text
