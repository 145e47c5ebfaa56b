"""Mean size of the vertebral bodies C2 to L5 and of the discs below them, mm.

Heights, depths, endplate sag and disc gaps of C4 to L3 are medians over the
annotated keypoints of 100 chest CT (numbers only, the annotation itself is
CC BY-NC 4.0: Zakharov, Pisov et al., Medical Image Analysis 83, 2023, repository
neuro-ml/anchor-free-genant; 0.8 mm slices and 0.75 mm pixels assumed), depths and
sags shrunk towards hand readings on five public CT, the other levels extrapolated.
Widths: Panjabi et al., Spine 16 (1991) and 17 (1992).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelSize:
    """Median body of one level and the disc below it; all mm."""

    anterior_mm: float
    posterior_mm: float
    depth_mm: float  #: antero-posterior, mean of both endplates
    width_mm: float  #: left to right
    sag_superior_mm: float  #: depth of the concavity of the upper endplate
    sag_inferior_mm: float
    gap_front_mm: float  #: disc below, between the facing anterior corners
    gap_back_mm: float  #: disc below, between the facing posterior corners


LEVEL_TABLE: dict[str, LevelSize] = {
    "C2": LevelSize(20.0, 17.0, 13.5, 16.5, 0.0, 1.6, 3.0, 2.6),
    "C3": LevelSize(13.6, 13.2, 13.6, 16.0, 0.0, 1.6, 3.6, 2.3),
    "C4": LevelSize(13.4, 13.0, 13.8, 17.2, 0.0, 1.6, 3.6, 2.3),
    "C5": LevelSize(12.6, 12.6, 13.8, 17.5, 0.1, 1.5, 3.6, 2.3),
    "C6": LevelSize(12.4, 13.0, 14.0, 18.5, 0.2, 1.2, 3.6, 2.3),
    "C7": LevelSize(14.6, 15.2, 14.8, 21.8, 0.4, 1.3, 3.1, 2.4),
    "T1": LevelSize(16.3, 17.2, 15.6, 24.5, 0.4, 1.1, 2.6, 2.2),
    "T2": LevelSize(17.7, 18.5, 17.0, 24.9, 0.7, 1.0, 2.2, 2.1),
    "T3": LevelSize(18.1, 19.3, 18.8, 24.6, 0.8, 0.9, 2.0, 1.9),
    "T4": LevelSize(18.2, 19.9, 20.4, 24.5, 0.7, 0.8, 1.9, 1.9),
    "T5": LevelSize(18.0, 20.4, 22.2, 24.9, 0.6, 0.7, 2.0, 2.0),
    "T6": LevelSize(17.9, 20.8, 24.2, 26.2, 0.6, 0.7, 2.1, 2.1),
    "T7": LevelSize(18.1, 21.2, 25.8, 27.8, 0.5, 0.7, 2.4, 2.2),
    "T8": LevelSize(18.9, 21.5, 26.5, 29.5, 0.5, 0.7, 2.8, 2.3),
    "T9": LevelSize(20.2, 22.0, 27.2, 30.6, 0.5, 0.8, 3.1, 2.5),
    "T10": LevelSize(21.8, 23.5, 27.8, 31.9, 0.7, 0.9, 3.4, 2.5),
    "T11": LevelSize(22.8, 25.3, 28.2, 34.9, 0.8, 1.2, 4.3, 2.7),
    "T12": LevelSize(24.4, 27.0, 28.6, 39.0, 0.8, 1.3, 5.8, 3.3),
    "L1": LevelSize(26.2, 28.2, 30.0, 41.2, 1.1, 1.3, 7.6, 4.2),
    "L2": LevelSize(28.0, 29.3, 31.4, 42.6, 1.3, 1.6, 9.2, 5.0),
    "L3": LevelSize(28.9, 29.2, 32.4, 44.1, 1.5, 1.9, 10.2, 5.4),
    "L4": LevelSize(29.3, 28.0, 33.4, 46.6, 1.5, 1.9, 12.0, 5.6),
    "L5": LevelSize(29.5, 25.2, 33.6, 47.3, 0.9, 1.4, 13.5, 5.4),
}

#: Cranial to caudal.
LEVELS: tuple[str, ...] = tuple(LEVEL_TABLE)
