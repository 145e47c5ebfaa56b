"""Draws the couch under the patient: a bent or flat shell around light foam."""

import numpy as np

from vfnode.training.synthetic.column3d import Spine
from vfnode.training.synthetic.trunk import TrunkShape
from vfnode.training.synthetic.voxel_canvas import Canvas


def paint_couch(canvas: Canvas, spine: Spine, trunk: TrunkShape, rng: np.random.Generator) -> None:
    """Draw it through the whole length of the canvas."""
    heights = np.array([trunk.at(spine.z_of(p))["back"] for p in range(6, 24)])
    top = float(heights.max() + rng.uniform(-8, 12))
    bend = float(rng.choice([0.0, rng.uniform(0.0005, 0.0016)], p=[0.25, 0.75]))
    thickness, shell = float(rng.uniform(8, 45)), float(rng.uniform(1.0, 3.0))
    hu = float(rng.uniform(-400, 300))
    box = canvas.box(np.array([-230.0, top - 70, -2000]), np.array([230.0, top + 60, 2000]))
    if box is None:
        return
    surface = np.float32(top) - np.float32(bend) * box.x**2
    distance = np.maximum(surface - box.y, box.y - surface - np.float32(thickness))
    distance = np.maximum(distance, np.abs(box.x) - np.float32(215))
    distance = np.broadcast_to(distance, (len(box.z), *distance.shape[1:])).copy()
    canvas.paint_shell(box, distance, shell, hu, float(rng.uniform(-980, -850)))
