"""Training of the level labeller on synthetic spines: `vfnode train levels`."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vfnode.inference.bundle import LoadedModel, ModelManifest, save_bundle
from vfnode.inference.label_levels import evidence_at, level_logits
from vfnode.networks.level_labeller import CLASSES, LevelLabeller
from vfnode.spine.level_chain import name_column
from vfnode.spine.spine_box import VOXEL_MM
from vfnode.training.cards import levels_card
from vfnode.training.level_batches import WINDOW_HU, LevelBatches, level_loss
from vfnode.training.level_boxes import LevelBox, cached_box
from vfnode.training.level_maps import label_map_boxes
from vfnode.training.loop import LoopOptions, Progress, saved_progress, train
from vfnode.training.synthetic.scene import GENERATOR_VERSION

PAINTINGS = 16  #: of each label map
_DATA = (
    "synthetic only",
    "synthetic, and label maps of three TotalSegmentator subjects (CC BY 4.0, no images)",
)
_HELD_OUT_SEED = 900_000  # far from every training seed


@dataclass(frozen=True)
class LevelsOptions:
    """One training of the level labeller; the same options continue an interrupted one."""

    minutes: float  #: of training over all runs; drawing boxes comes on top
    work: Path  #: folder for drawn boxes and the checkpoint
    out: Path  #: folder of models; the bundle is `out`/levels
    seed: int = 1
    boxes: int = 500
    held_out: int = 60
    batch_size: int = 16
    threads: int = 1
    label_maps: Path | None = None  #: folder of TotalSegmentator label maps: real skeletons

    @property
    def loop(self) -> LoopOptions:
        """Bound, schedule and checkpoint of the run."""
        return LoopOptions(
            self.work / "levels.pt", minutes=self.minutes, learning_rate=3e-3, weight_decay=3e-2
        )

    @property
    def cache(self) -> Path:
        """Folder of the drawn boxes."""
        return self.work / f"level-boxes-{GENERATOR_VERSION}"


def train_levels(
    options: LevelsOptions, on_progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Train, measure on held-out synthetic spines, write the bundle.

    Returns:
        Folder of the bundle.

    Raises:
        TrainingError: training diverged.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    boxes = functools.cache(functools.partial(cached_box, options.cache))
    maps = options.label_maps
    real = label_map_boxes(maps, PAINTINGS, options.seed) if maps else ()
    batches = LevelBatches(boxes, options.boxes, options.seed, options.batch_size, real)
    model = LevelLabeller().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    trained = train(model, batches, level_loss, options.loop, on_progress)
    manifest = _manifest(options)
    figures = held_out_figures(LoadedModel(trained, manifest), options)
    complete = replace(manifest, held_out=figures)
    card = levels_card(figures, options.minutes, options.boxes)
    return save_bundle(options.out / "levels", trained, complete, card)


def held_out_figures(loaded: LoadedModel, options: LevelsOptions) -> dict[str, float]:
    """How often names are right on spines of other seeds, at the drawn bodies' true places."""
    right, sure, spines = [], [], 0
    for number in range(options.held_out):
        box = cached_box(options.cache, _HELD_OUT_SEED + number)
        names, confidence, wanted = _named(box, loaded)
        right += [found == true for found, true in zip(names, wanted, strict=True)]
        sure += list(confidence)
        spines += int(tuple(names) == tuple(wanted))
    hits, certain = np.array(right), np.array(sure) > 0.9
    return {
        "spines": float(options.held_out),
        "bodies": float(len(hits)),
        "right": round(float(hits.mean()), 4),
        "spines all right": round(spines / options.held_out, 4),
        "confidence over 0.9": round(float(certain.mean()), 4),
        "right of those": round(float(hits[certain].mean()), 4) if certain.any() else 0.0,
    }


def _named(box: LevelBox, loaded: LoadedModel) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    """Names and confidence of the bodies that a box shows, and their true names."""
    rows = np.arange(len(box.hu))
    seen = rows[box.seen]
    levels = np.arange(np.ceil(box.position[seen[0]]), np.floor(box.position[seen[-1]]) + 1)
    levels = levels[(levels > 0) & (levels < len(CLASSES) - 1)]
    places = np.interp(levels, box.position, rows)
    logits = level_logits(box.hu.astype(np.float32), loaded, "cpu")
    named = name_column(evidence_at(logits, places), np.diff(places) * VOXEL_MM)
    return named.names, named.confidence, [CLASSES[int(level)] for level in levels]


def _manifest(options: LevelsOptions) -> ModelManifest:
    return ModelManifest(
        name="levels",
        role="levels",
        architecture="level_labeller",
        arguments={},
        spacing_mm=(VOXEL_MM, VOXEL_MM, VOXEL_MM),
        window_hu=WINDOW_HU,
        normalisation="window",
        seed=options.seed,
        generator_version=GENERATOR_VERSION,
        training={
            "steps": saved_progress(options.loop).step,
            "minutes": options.minutes,
            "boxes": options.boxes,
            "batch_size": options.batch_size,
            "data": _DATA[options.label_maps is not None],
        },
        command=f"vfnode train levels --minutes {options.minutes:g} --seed {options.seed}"
        + (" --label-maps FOLDER" if options.label_maps else ""),
    )
