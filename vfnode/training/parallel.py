"""Work that does not need the network, in processes beside it: drawing and batches."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from typing import Any, TypeVar

from torch.utils.data import DataLoader, Dataset

Drawn = TypeVar("Drawn")

_AHEAD = 4  #: batches that each process prepares in advance
_CHUNK = 4  #: images that a process draws at a time


def in_order(
    function: Callable[[int], Drawn], indices: Sequence[int], workers: int
) -> Iterator[Drawn]:
    """function(index) of each, in order; with `workers` processes, or here where that is 0."""
    if workers == 0:
        yield from map(function, indices)
        return
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        yield from pool.map(function, indices, chunksize=_CHUNK)


def batch_stream(batches: Callable[[int], Any], first_step: int, workers: int) -> Iterator[Any]:
    """The batches from a step on, in order, made by `workers` processes, or here."""
    loader = DataLoader(
        _Steps(batches),
        batch_size=None,
        collate_fn=_as_made,
        sampler=count(first_step),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
    )
    return iter(loader)


def _as_made(batch: Any) -> Any:
    """The loader's own conversion would make lists of tuples."""
    return batch


class _Steps(Dataset[Any]):
    """Batches by step."""

    def __init__(self, batches: Callable[[int], Any]) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> Any:
        return self.batches(step)
