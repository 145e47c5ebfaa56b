"""A whole synthetic patient: sampled once, drawn on any voxel grid."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vfnode.training.synthetic.ailments import (
    HEALTHY,
    Ailments,
    paint_ailments,
    sample_ailments,
)
from vfnode.training.synthetic.anatomy import LEVELS, sample_deformities
from vfnode.training.synthetic.arch import paint_arches
from vfnode.training.synthetic.artefacts import add_motion, add_streaks
from vfnode.training.synthetic.bone_look import BoneLook, sample_bone_look
from vfnode.training.synthetic.column3d import Spine, sample_spine
from vfnode.training.synthetic.couch import paint_couch
from vfnode.training.synthetic.organs import OrganLook, paint_organs, sample_organ_look
from vfnode.training.synthetic.sacrum import paint_sacrum
from vfnode.training.synthetic.skeleton import paint_skeleton
from vfnode.training.synthetic.surroundings import paint_surroundings
from vfnode.training.synthetic.trunk import (
    TrunkLook,
    TrunkShape,
    paint_trunk,
    sample_trunk_look,
    shape_trunk,
)
from vfnode.training.synthetic.vertebra3d import paint_spine
from vfnode.training.synthetic.voxel_canvas import Canvas

#: Raised with every change that alters the images; stands in the manifests of models.
GENERATOR_VERSION = "3d-6"


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn; `seed` fixes the details that have no field."""

    seed: int
    spine: Spine
    trunk: TrunkShape
    trunk_look: TrunkLook
    bone_look: BoneLook
    organ_look: OrganLook
    arms_up: bool
    ailments: Ailments = HEALTHY
    disturbed: bool = False  #: clothes, cables, streaks of metal, motion


def sample_scene(
    seed: int,
    *,
    deformities: Mapping[str, tuple[str, float]] | None = None,
    ordinary: bool = False,
) -> Scene:
    """Random patient.

    Args:
        seed: the only source of randomness.
        deformities: level -> (kind, height ratio); None deforms a random share.
        ordinary: mean proportions, natural curvature, no disease but deformity, no disturbance.
    """
    rng = np.random.default_rng([seed, 3])
    if deformities is None:
        fraction = float(rng.choice([0.0, 0.1, 0.4], p=[0.4, 0.4, 0.2]))
        deformities = sample_deformities(rng, LEVELS[3:], fraction)
    spine = sample_spine(rng, deformities=deformities, natural=ordinary)
    trunk_look = sample_trunk_look(rng)
    bone_look = sample_bone_look(rng, LEVELS)
    if ordinary:
        bone_look = replace(
            bone_look,
            canal_depth=1.0,
            arch=1.1,
            process=1.0,
            taper=0.5,
            notch_mm=2.0,
            roundness=2.5,
            cement_levels=frozenset(),
            vacuum_discs=frozenset(),
        )
    return Scene(
        seed=seed,
        spine=spine,
        trunk=shape_trunk(spine, trunk_look),
        trunk_look=trunk_look,
        bone_look=bone_look,
        organ_look=sample_organ_look(rng),
        arms_up=bool(rng.random() < 0.7),
        ailments=HEALTHY
        if ordinary
        else sample_ailments(np.random.default_rng([seed, 13]), len(LEVELS)),
        disturbed=not ordinary,
    )


def draw(scene: Scene, canvas: Canvas) -> None:
    """Draw the patient and the couch, from the outside in."""
    rngs = [np.random.default_rng([scene.seed, 5, part]) for part in range(10)]
    paint_couch(canvas, scene.spine, scene.trunk, rngs[0])
    paint_trunk(canvas, scene.spine, scene.trunk, scene.trunk_look, rngs[1])
    paint_organs(canvas, scene.spine, scene.trunk, scene.organ_look, rngs[2])
    paint_skeleton(canvas, scene.spine, scene.trunk, scene.bone_look, rngs[3], scene.arms_up)
    paint_sacrum(canvas, scene.spine, scene.bone_look, rngs[6])
    paint_spine(canvas, scene.spine, scene.bone_look, rngs[4])
    paint_arches(canvas, scene.spine, scene.bone_look, rngs[5])
    paint_ailments(canvas, scene.spine, scene.bone_look, scene.ailments, rngs[7])
    if scene.disturbed:
        paint_surroundings(canvas, scene.spine, scene.trunk, rngs[8])
        add_streaks(canvas, rngs[9])
        add_motion(canvas, rngs[9])
