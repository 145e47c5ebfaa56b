"""Network definitions; a model bundle names its architecture by a key of this table."""

from torch import nn

from vfnode.networks.keypoint_refiner import KeypointRefiner
from vfnode.networks.level_labeller import LevelLabeller
from vfnode.networks.spine_localizer import SpineLocalizer
from vfnode.networks.vertebra_detector import VertebraDetector

#: Architecture name in a bundle's manifest -> class, built with the manifest's arguments.
ARCHITECTURES: dict[str, type[nn.Module]] = {
    "keypoint_refiner": KeypointRefiner,
    "level_labeller": LevelLabeller,
    "spine_localizer": SpineLocalizer,
    "vertebra_detector": VertebraDetector,
}
