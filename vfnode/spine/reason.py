"""Coded reasons: why a series or a body was not evaluated, or what limits a result."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Reasons why a series was not evaluated, or what limits its result; (code, meaning)."""

    NO_SPINE = ("no-spine", "No spine was found in the images")
    NO_VERTEBRA = ("no-vertebra", "A spine was found, but no vertebral body could be measured")
    TOO_FEW_SLICES = ("too-few-slices", "Too few slices to measure a vertebral body")
    SLICE_GAP = ("slice-gap", "A slice is missing inside the series")
    GEOMETRY_REFUSED = ("geometry-refused", "The slices do not form one regular volume")
    NOT_CT = ("not-ct", "The images are not original CT images")
    UNREADABLE = ("unreadable", "The images cannot be read")
    IDENTITY_CONFLICT = (
        "identity-conflict",
        "The images of one series name different patients",
    )
    NONE_GRADED = ("none-graded", "None of the vertebral bodies found could be graded")
    COMPUTE_FAILED = ("compute-failed", "The computation failed; a person has been asked to look")
    CUT_VERTEBRA = ("cut-vertebra", "A vertebral body is cut by the border and is not graded")
    UNCERTAIN_KEYPOINTS = (
        "uncertain-keypoints",
        "The keypoints of a vertebral body are too uncertain to grade it",
    )
    OUTSIDE_GRADED_LEVELS = (
        "outside-graded-levels",
        "Outside the levels that are graded; measured only",
    )
    UNCALIBRATED = (
        "uncalibrated",
        "Errors and probabilities were calibrated with other weights",
    )
    BODY_NOT_FOUND = (
        "body-not-found",
        "A vertebral body between two others was not found",
    )
    METAL = ("metal", "Metal in or beside a vertebral body, which is not graded")
    CEMENT = ("cement", "Bone cement in a vertebral body, which is not graded")
    LEVEL_UNKNOWN = ("level-unknown", "Vertebral levels are not named; bodies are numbered")
    LEVEL_UNCERTAIN = (
        "level-uncertain",
        "Vertebral levels are uncertain; all may be shifted by one",
    )
    FRAME_ASSUMED = (
        "frame-assumed",
        "The slices name no common frame of reference; one is assumed",
    )
    UID_DERIVED = (
        "uid-derived",
        "The images lack a usable UID; another one stands for it",
    )
    ONE_STACK_OF_SEVERAL = (
        "one-stack-of-several",
        "One of several stacks (phases) of the series was measured",
    )
    NO_IMAGE = (
        "no-image",
        "A vertebral body lies where no image is and is not graded",
    )
    RESAMPLED = (
        "resampled",
        "Uneven or differing slices were brought to one even grid",
    )
    IMAGES_LEFT_OUT = (
        "images-left-out",
        "Some images of the series could not be used and were left out",
    )
    SCALE_IMPLAUSIBLE = (
        "scale-implausible",
        "No human spine has these sizes: the scale of the images is wrong",
    )
    ORIENTATION_IMPLAUSIBLE = (
        "orientation-implausible",
        "The anatomy contradicts how the images say the patient lies",
    )
    SPINE_NOT_COVERED = (
        "spine-not-covered",
        "Too few vertebral bodies were found for so much spine",
    )
    NOT_HU = ("not-hu", "The pixel values are not Hounsfield units")
    THICK_SLICES = ("thick-slices", "Slices thicker than 3 mm: heights are less certain")

    def __init__(self, code: str, meaning: str) -> None:
        self.code = code
        self.meaning = meaning

    @classmethod
    def from_code(cls, code: str) -> Reason:
        """The reason with this code; KeyError if there is none."""
        return {reason.code: reason for reason in cls}[code]

    def to_dict(self) -> dict[str, str]:
        """The coded reason as result.json shows it."""
        return {"code": self.code, "meaning": self.meaning}
