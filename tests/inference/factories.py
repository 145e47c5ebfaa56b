"""A manifest of a model that nobody trained."""

from vfnode.inference.bundle import (
    ModelManifest,
)

MANIFEST = ModelManifest(
    name="spine",
    role="spine",
    architecture="spine_localizer",
    arguments={"widths": [4, 8]},
    spacing_mm=(4.0, 2.0, 2.0),
    window_hu=(-400.0, 800.0),
    normalisation="window",
    seed=1,
    generator_version="test",
    training={"steps": 0},
    command="none",
    held_out={"curve_mm": 1.0},
)
