"""Training of the level labeller on synthetic spines: `vfnode train levels`."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vfnode.inference.bundle import LoadedModel, ModelManifest
from vfnode.inference.label_levels import evidence_at, level_logits
from vfnode.networks.level_labeller import CLASSES, LevelLabeller
from vfnode.spine.level_chain import name_column
from vfnode.spine.spine_box import VOXEL_MM
from vfnode.training.cards import levels_card
from vfnode.training.levels.batches import WINDOW_HU, LevelBatches
from vfnode.training.levels.boxes import LevelBox, cached_box
from vfnode.training.levels.label_maps import label_map_boxes
from vfnode.training.levels.loss import level_loss
from vfnode.training.run import Recipe, TrainingOptions
from vfnode.training.site_data import SYNTHETIC_ONLY, command
from vfnode.training.synthetic.scene import GENERATOR_VERSION

PAINTINGS = 16  #: of each label map
_DATA = (
    "synthetic only",
    "synthetic, and label maps of three TotalSegmentator subjects (CC BY 4.0, no images)",
)
_HELD_OUT_SEED = 900_000  # far from every training seed


@dataclass(frozen=True)
class LevelsSizes:
    """Numbers of boxes that are drawn and read."""

    boxes: int = 650
    held_out: int = 60
    batch_size: int = 16


def levels_recipe(
    options: TrainingOptions, sizes: LevelsSizes | None = None, label_maps: Path | None = None
) -> Recipe:
    """The level labeller's; boxes are drawn when they are first wanted.

    Args:
        options: of the run.
        sizes: how much is drawn.
        label_maps: folder of TotalSegmentator label maps: real skeletons.
    """
    sizes = sizes or LevelsSizes()
    folder = options.work / f"level-boxes-{GENERATOR_VERSION}"
    boxes = functools.cache(functools.partial(cached_box, folder))
    real = label_map_boxes(label_maps, PAINTINGS, options.seed) if label_maps else ()
    return Recipe(
        manifest=_manifest(options, sizes, label_maps is not None),
        network=_network,
        batches=LevelBatches(
            boxes, sizes.boxes, options.seed, options.batch or sizes.batch_size, real
        ),
        loss=level_loss,
        held_out=functools.partial(held_out_figures, folder, sizes.held_out),
        card=levels_card,
        learning_rate=3e-3,
        weight_decay=3e-2,
    )


def _network() -> nn.Module:
    network: nn.Module = LevelLabeller().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def held_out_figures(folder: Path, count: int, loaded: LoadedModel) -> dict[str, float]:
    """Share of right names on spines of other seeds, at the drawn bodies' true places."""
    right, sure, spines = [], [], 0
    for number in range(count):
        box = cached_box(folder, _HELD_OUT_SEED + number)
        names, confidence, wanted = _named(box, loaded)
        right += [found == true for found, true in zip(names, wanted, strict=True)]
        sure += list(confidence)
        spines += int(tuple(names) == tuple(wanted))
    hits, certain = np.array(right), np.array(sure) > 0.9
    return {
        "spines": float(count),
        "bodies": float(len(hits)),
        "right": float(hits.mean()),
        "spines all right": spines / count,
        "confidence over 0.9": float(certain.mean()),
        "right of those": float(hits[certain].mean()) if certain.any() else 0.0,
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


def _manifest(options: TrainingOptions, sizes: LevelsSizes, mapped: bool) -> ModelManifest:
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
            "boxes": sizes.boxes,
            "batch_size": options.batch or sizes.batch_size,
            "data": _DATA[mapped],
        },
        command=command("levels", options, sizes.boxes, SYNTHETIC_ONLY)
        + (" --label-maps FOLDER" if mapped else ""),
    )
