"""The training loop."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from vfnode.errors import TrainingError
from vfnode.training.loop import LoopOptions, Progress, rate_factor, train


def batches(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    image = torch.randn(8, 3, generator=generator)
    return image, image @ torch.tensor([[1.0], [-2.0], [0.5]])


def loss_fn(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {"squared": ((model(batch[0]) - batch[1]) ** 2).mean()}


def new_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1))


def options(folder: Path, steps: int) -> LoopOptions:
    return LoopOptions(
        folder / "run.pt", steps=steps, learning_rate=0.05, warmup_steps=5, bfloat16=False
    )


def test_the_loss_falls(tmp_path: Path) -> None:
    """Training lowers the loss on its own batches."""
    seen: list[Progress] = []

    train(new_model(), batches, loss_fn, options(tmp_path, 150), seen.append)

    assert seen[-1].losses["squared"] < 0.3 * seen[0].losses["squared"]
    assert seen[-1].fraction == 1.0


def test_a_killed_run_continues_as_if_never_stopped(tmp_path: Path) -> None:
    """A run stopped after a save and run again ends with the uninterrupted run's weights."""

    def stop(progress: Progress) -> None:
        if progress.step == 13:
            raise KeyboardInterrupt

    whole = train(new_model(), batches, loss_fn, options(tmp_path / "whole", 30))
    often = dataclasses.replace(options(tmp_path / "cut", 30), save_every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(new_model(), batches, loss_fn, often, stop)
    steps: list[int] = []
    resumed = train(new_model(), batches, loss_fn, often, lambda p: steps.append(p.step))

    assert steps[0] == 13  # the save after step 12 was the last
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_run_does_not_train_again(tmp_path: Path) -> None:
    """Re-running a finished training returns at once."""
    train(new_model(), batches, loss_fn, options(tmp_path, 5))
    seen: list[Progress] = []

    train(new_model(), batches, loss_fn, options(tmp_path, 5), seen.append)

    assert seen == []


def test_the_schedule_follows_the_minutes_when_they_bound_the_run() -> None:
    """Half of the minutes used is half of the cosine, whatever the step."""
    timed = LoopOptions(Path("unused"), minutes=10.0)

    assert timed.fraction(step=7, elapsed_s=300.0) == 0.5
    assert rate_factor(step=1000, fraction=0.5, warmup_steps=10) == pytest.approx(0.5)
    assert rate_factor(step=0, fraction=0.0, warmup_steps=10) == pytest.approx(0.1)


def test_a_run_without_a_bound_is_refused(tmp_path: Path) -> None:
    """Neither steps nor minutes is an error that says so."""
    with pytest.raises(TrainingError, match="steps or minutes"):
        train(new_model(), batches, loss_fn, LoopOptions(tmp_path / "run.pt"))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    """Divergence is reported at its step instead of being averaged into the weights."""
    with pytest.raises(TrainingError, match="step 0"):
        train(
            new_model(),
            batches,
            lambda model, batch: {"bad": model(batch[0]).sum() * float("nan")},
            options(tmp_path, 3),
        )
