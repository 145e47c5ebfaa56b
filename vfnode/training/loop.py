"""The training loop: one page, with model, batches and loss passed in.

AdamW, linear warm-up, cosine decay, gradient clipping, an exponential moving
average (EMA) of the weights, optional bfloat16 autocast on whatever device the
model is on. The state is saved atomically every minute or so, and a re-run of the
same call continues at the step that the last save had reached.
"""

import io
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vfnode.durable_files import write_whole
from vfnode.errors import TrainingError
from vfnode.training.parallel import batch_stream

#: Gives the batch of one step. The step number is the only state, so a resumed
#: run sees the batches that an uninterrupted one would have seen.
BatchSource = Callable[[int], Any]
#: Named loss terms of one batch; their sum is minimised.
LossFunction = Callable[[nn.Module, Any], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Progress:
    """Progress of a training run, handed to `on_progress` after every step."""

    step: int  #: steps done, over all runs
    fraction: float  #: of the planned steps or minutes, 0 to 1
    elapsed_minutes: float  #: over all runs
    losses: dict[str, float]  #: the last batch's terms


@dataclass(frozen=True)
class LoopOptions:
    """Policies of one run; at least one of `steps` and `minutes` bounds it."""

    checkpoint_path: Path
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 200
    ema_decay: float = 0.998
    gradient_clip: float = 5.0
    bfloat16: bool = True
    save_every_s: float = 60.0
    workers: int = 0  #: processes that make the batches; 0: this one

    def fraction(self, step: int, elapsed_s: float) -> float:
        """Share of the plan that is used up; the nearer bound decides."""
        by_steps = step / self.steps if self.steps is not None else 0.0
        by_time = elapsed_s / (60.0 * self.minutes) if self.minutes is not None else 0.0
        return min(1.0, max(by_steps, by_time))


@dataclass
class _State:
    """Content of a checkpoint."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.AdamW
    step: int = 0
    elapsed_s: float = 0.0

    def save(self, path: Path) -> None:
        content = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "rng": torch.get_rng_state(),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_whole(path, buffer.getvalue())

    def restore(self, path: Path) -> None:
        # Read to the CPU: a run may go on on a machine without a GPU; the modules move it.
        content = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.elapsed_s = content["step"], content["elapsed_s"]
        torch.set_rng_state(content["rng"])


def train(
    model: nn.Module,
    batches: BatchSource,
    loss_fn: LossFunction,
    options: LoopOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> nn.Module:
    """Train `model` in place until the bound of `options` is reached.

    Args:
        batches: step number -> batch.
        loss_fn: (model, batch) -> named loss terms; runs under autocast.
        on_progress: called after every step.

    Returns:
        The averaged (EMA) model in evaluation mode, the one to be kept.

    Raises:
        TrainingError: neither bound is given, or the loss is not finite.
    """
    if options.steps is None and options.minutes is None:
        raise TrainingError("training needs a bound: steps or minutes")
    state = _start(model, options)
    stream = batch_stream(batches, state.step, options.workers)
    saved_at = time.monotonic()
    while (fraction := options.fraction(state.step, state.elapsed_s)) < 1.0:
        began = time.monotonic()
        losses = _step(state, next(stream), loss_fn, options, fraction)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
        on_progress(
            Progress(
                state.step,
                options.fraction(state.step, state.elapsed_s),
                state.elapsed_s / 60.0,
                losses,
            )
        )
        if time.monotonic() - saved_at > options.save_every_s:
            state.save(options.checkpoint_path)
            saved_at = time.monotonic()
    state.save(options.checkpoint_path)
    return state.average.eval()


def saved_progress(options: LoopOptions) -> Progress:
    """Progress of the run of a checkpoint; its losses are not kept."""
    content = torch.load(options.checkpoint_path, map_location="cpu", weights_only=True)
    step, elapsed_s = int(content["step"]), float(content["elapsed_s"])
    return Progress(step, options.fraction(step, elapsed_s), elapsed_s / 60.0, {})


def _start(model: nn.Module, options: LoopOptions) -> _State:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    state = _State(model, deepcopy(model), optimizer)
    if options.checkpoint_path.exists():
        state.restore(options.checkpoint_path)
    return state


def _step(
    state: _State, batch: Any, loss_fn: LossFunction, options: LoopOptions, fraction: float
) -> dict[str, float]:
    """One update of weights and average; returns the loss terms before it."""
    state.model.train()
    for group in state.optimizer.param_groups:
        group["lr"] = options.learning_rate * rate_factor(
            state.step, fraction, options.warmup_steps
        )
    state.optimizer.zero_grad(set_to_none=True)
    device = next(state.model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=options.bfloat16):
        terms = loss_fn(state.model, on_device(batch, device))
    total = torch.stack([term.float() for term in terms.values()]).sum()
    losses = {name: float(term.detach()) for name, term in terms.items()}
    if not math.isfinite(sum(losses.values())):
        raise TrainingError(f"loss is not finite at step {state.step}: {losses}")
    total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.model.parameters(), options.gradient_clip)
    state.optimizer.step()
    _update_average(state, options.ema_decay)
    return losses


def on_device(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on `device`; a frozen dataclass, a tuple or a tensor."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple):
        return tuple(on_device(part, device) for part in batch)
    if is_dataclass(batch) and not isinstance(batch, type):
        moved = {f.name: on_device(getattr(batch, f.name), device) for f in fields(batch)}
        return replace(batch, **moved)
    raise TrainingError(f"a batch of {type(batch).__name__} cannot be moved to {device}")


def rate_factor(step: int, fraction: float, warmup_steps: int) -> float:
    """Learning rate relative to its peak: linear warm-up times cosine over the plan."""
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    return warmup * 0.5 * (1.0 + math.cos(math.pi * fraction))


@torch.no_grad()
def _update_average(state: _State, decay: float) -> None:
    # A young average would remember the random start: let it follow faster.
    decay = min(decay, (1.0 + state.step) / (10.0 + state.step))
    for kept, new in zip(
        state.average.state_dict().values(), state.model.state_dict().values(), strict=True
    ):
        if kept.is_floating_point():
            kept.lerp_(new, 1.0 - decay)
        else:
            kept.copy_(new)
