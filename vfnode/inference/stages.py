"""The steps of an analysis: announced as they begin, and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

OnStage = Callable[[str], None]
Stages = Callable[[str], AbstractContextManager[None]]


def stages_of(timing: dict[str, float], on_stage: OnStage) -> Stages:
    """A context manager per stage that adds its wall time to ``timing``."""

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        on_stage(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            timing[name] = timing.get(name, 0.0) + time.perf_counter() - began

    return stage
