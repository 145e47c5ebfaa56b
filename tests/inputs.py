"""What may be wrong with an input, as recipes on a made-up CT, and what is done with each.

The tests hold every line; ``docs/inputs.md`` is printed from the same list
(``python -m tests.docs.inputs``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    XRayRadiationDoseSRStorage,
)

from tests.dicom.tools import edit
from vfnode.spine.reason import Reason

Spoil = Callable[[list[Path]], None]


@dataclass(frozen=True)
class Input:
    """One kind of input: how it comes about, and what must become of it."""

    what: str  #: as the table says it
    spoil: Spoil  #: makes it of 60 sound slices of 2.5 mm, cranial to caudal
    done: str  #: what is done, as the table says it
    notes: tuple[Reason, ...] = ()  #: that the result must carry, no more and no fewer
    refused: Reason | None = None
    slices: int = 60  #: that are measured
    left_out: int = 0
    missing: tuple[int, ...] = ()  #: places of the volume without an image


def later(first: int = 30, **changes: object) -> Spoil:
    """The same change of every slice from ``first`` on."""

    def spoil(paths: list[Path]) -> None:
        for path in paths[first:]:
            edit(path, **changes)

    return spoil


def each(**changes: object) -> Spoil:
    """The same change of every slice."""

    def spoil(paths: list[Path]) -> None:
        for path in paths:
            edit(path, **changes)

    return spoil


def raw(keyword: str, vr: str, text: Callable[[int], str]) -> Spoil:
    """Write values that pydicom would not let through."""

    def spoil(paths: list[Path]) -> None:
        for index, path in enumerate(paths):
            dataset = pydicom.dcmread(path)
            tag = Tag(tag_for_keyword(keyword))
            value = text(index).encode() + b" " * (len(text(index)) % 2)
            dataset._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
            dataset.save_as(path)

    return spoil


def moved(shift_mm: Callable[[int, float], float]) -> Spoil:
    """New z positions: a function of index and z."""

    def spoil(paths: list[Path]) -> None:
        for index, path in enumerate(paths):
            x, y, z = (float(value) for value in pydicom.dcmread(path).ImagePositionPatient)
            edit(path, ImagePositionPatient=[x, y, shift_mm(index, z)])

    return spoil


def alternating(keyword: str, values: Callable[[int], object]) -> Spoil:
    """An attribute that differs from slice to slice: a function of the index."""

    def spoil(paths: list[Path]) -> None:
        for index, path in enumerate(paths):
            edit(path, **{keyword: values(index)})

    return spoil


def dropped(*places: int) -> Spoil:
    """Without some slices."""

    def spoil(paths: list[Path]) -> None:
        for place in places:
            paths[place].unlink()

    return spoil


def added(place: int, copies: int = 1, **changes: object) -> Spoil:
    """Copies of a slice beside the others, with a UID of their own and other changes."""

    def spoil(paths: list[Path]) -> None:
        for number in range(copies):
            extra = pydicom.dcmread(paths[place])
            extra.SOPInstanceUID = extra.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            for keyword, value in changes.items():
                if value is None:
                    delattr(extra, keyword)
                else:
                    setattr(extra, keyword, value)
            if "SOPClassUID" in changes:
                extra.file_meta.MediaStorageSOPClassUID = UID(str(changes["SOPClassUID"]))
            extra.save_as(paths[place].with_name(f"extra{number}.dcm"))

    return spoil


def rewritten(write: Callable[[Dataset], bytes]) -> Spoil:
    """Every file with other bytes around the same data set."""

    def spoil(paths: list[Path]) -> None:
        for path in paths:
            path.write_bytes(write(pydicom.dcmread(path)))

    return spoil


def encoded(
    *, implicit: bool, declared: str = "", preamble: bytes = b"\0" * 128 + b"DICM"
) -> Spoil:
    """A data set in one VR encoding whose meta information, if any, declares another."""

    def write(dataset: Dataset) -> bytes:
        body, meta, plain = DicomBytesIO(), DicomBytesIO(), Dataset()
        for stream in (body, meta):
            stream.is_little_endian = True
        meta.is_implicit_VR, body.is_implicit_VR = False, implicit
        if declared:
            dataset.file_meta.TransferSyntaxUID = UID(declared)
            write_file_meta_info(meta, dataset.file_meta, enforce_standard=False)
        plain.update(dataset)
        write_dataset(body, plain)
        return preamble + bytes(meta.getvalue()) + bytes(body.getvalue())

    return rewritten(write)


def pixels(change: Callable[[int, np.ndarray], np.ndarray]) -> Spoil:
    """Other stored pixels of every slice: a function of index and pixels."""

    def spoil(paths: list[Path]) -> None:
        for index, path in enumerate(paths):
            dataset = pydicom.dcmread(path)
            stored = change(index, dataset.pixel_array)
            if stored is not dataset.pixel_array:
                dataset.Rows, dataset.Columns = stored.shape
                dataset.PixelData = np.ascontiguousarray(stored).tobytes()
                dataset.save_as(path)

    return spoil


def second(change: Callable[[Dataset, int], None], last: int = 60) -> Spoil:
    """A second stack of slices in the same series."""

    def spoil(paths: list[Path]) -> None:
        for index, path in enumerate(paths[:last]):
            twin = copy.deepcopy(pydicom.dcmread(path))
            twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = f"1.2.4.{index}"
            change(twin, index)
            twin.save_as(path.with_name(f"twin{index}.dcm"))

    return spoil


def _repeat(paths: list[Path]) -> None:
    stored = pydicom.dcmread(paths[30]).PixelData
    for path in paths[30:36]:
        edit(path, PixelData=stored)


def _cut_field(paths: list[Path]) -> None:
    """The lower half with a field of view of 0.8."""
    for path in paths[30:]:
        dataset = pydicom.dcmread(path)
        x, y, z = (float(value) for value in dataset.ImagePositionPatient)
        rows, columns = (float(value) for value in dataset.PixelSpacing)
        dataset.PixelSpacing = [0.8 * rows, 0.8 * columns]
        dataset.ImagePositionPatient = [
            x + 0.1 * columns * dataset.Columns,
            y + 0.1 * rows * dataset.Rows,
            z,
        ]
        dataset.save_as(path)


def _short(paths: list[Path]) -> None:
    paths[30].write_bytes(paths[30].read_bytes()[:-600])


def _junk(paths: list[Path]) -> None:
    (paths[0].parent / "junk.dcm").write_bytes(
        b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00"
    )


def _later(twin: Dataset, _index: int) -> None:
    twin.AcquisitionNumber = 2


def _next_pass(twin: Dataset, _index: int) -> None:
    """135 mm further down: 15 mm of overlap."""
    x, y, z = (float(value) for value in twin.ImagePositionPatient)
    twin.ImagePositionPatient, twin.AcquisitionNumber = [x, y, z - 135.0], 2


LEFT = (Reason.IMAGES_LEFT_OUT,)
LEFT_OUT = "left out and told; the others are measured"
MEASURED = "measured as it is"

INPUTS: Sequence[Input] = (
    Input("a sound CT", lambda _: None, MEASURED),
    Input(
        "directions that differ by 0.00001 from slice to slice",
        alternating("ImageOrientationPatient", lambda i: [1, 0, 0, 0, 1, 1e-5 * (-1) ** i]),
        MEASURED,
    ),
    Input(
        "pixel spacings that differ in the fifth digit",
        alternating("PixelSpacing", lambda i: [4.0, 4.0 + 1e-5 * (i % 2)]),
        MEASURED,
    ),
    Input("positions rounded to whole millimetres", moved(lambda _, z: round(z)), MEASURED),
    Input("positions off by up to 0.1 mm", moved(lambda i, z: z + 0.1 * np.sin(i * 2.0)), MEASURED),
    Input(
        "one slice missing",
        dropped(20),
        "everything else is measured; a body at the hole is not graded (no-image)",
        (Reason.SLICE_GAP,),
        slices=59,
        missing=(20,),
    ),
    Input(
        "the last but one slice missing",
        dropped(58),
        "as above",
        (Reason.SLICE_GAP,),
        slices=59,
        missing=(58,),
    ),
    Input(
        "a stray slice between two others",
        added(30, ImagePositionPatient=[-36.0, -48.0, 24.1]),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a stray slice half a metre away",
        added(30, ImagePositionPatient=[-36.0, -48.0, -475.0]),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input("a slice twice under two UIDs", added(30), LEFT_OUT, LEFT, left_out=1),
    Input(
        "the last slice 1 mm off",
        moved(lambda i, z: z - (i == 59)),
        "brought to an even grid",
        (Reason.RESAMPLED,),
    ),
    Input(
        "2.5 mm above, 5 mm below",
        dropped(*range(31, 60, 2)),
        "brought to an even grid; 5 mm slices are thick",
        (Reason.RESAMPLED, Reason.THICK_SLICES),
        slices=45,
    ),
    Input(
        "a field of view that changes half way",
        _cut_field,
        "both halves are measured, on the grid of one",
        (Reason.RESAMPLED,),
    ),
    Input(
        "a frame of reference that changes half way",
        lambda paths: each(FrameOfReferenceUID="1.2.3.4")(paths[30:]),
        "both halves are measured; one frame is assumed",
        (Reason.FRAME_ASSUMED,),
    ),
    Input(
        "an acquisition number that changes half way",
        lambda paths: each(AcquisitionNumber=7)(paths[30:]),
        MEASURED,
    ),
    Input(
        "two phases of the same anatomy",
        second(_later),
        "the first is measured",
        (Reason.ONE_STACK_OF_SEVERAL,),
        left_out=60,
    ),
    Input(
        "two passes that overlap",
        second(_next_pass),
        "both are measured and joined; of the overlap one is",
        LEFT,
        slices=114,
        left_out=6,
    ),
    Input(
        "a localizer without a position in the series",
        added(
            0,
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
        ),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a slice without a position",
        added(0, ImagePositionPatient=None),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a derived image without spacing and rescale",
        added(
            0,
            ImageType=["DERIVED", "SECONDARY"],
            PixelSpacing=None,
            RescaleSlope=None,
            RescaleIntercept=None,
        ),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a dose page",
        added(0, SOPClassUID=SecondaryCaptureImageStorage),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a structure set", added(0, SOPClassUID=RTStructureSetStorage), LEFT_OUT, LEFT, left_out=1
    ),
    Input("a segmentation", added(0, SOPClassUID=SegmentationStorage), LEFT_OUT, LEFT, left_out=1),
    Input(
        "a dose report",
        added(0, SOPClassUID=XRayRadiationDoseSRStorage),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input(
        "a colour image of CT class",
        added(0, SamplesPerPixel=3, PhotometricInterpretation="RGB"),
        LEFT_OUT,
        LEFT,
        left_out=1,
    ),
    Input("12 bits allocated", added(0, BitsAllocated=12), LEFT_OUT, LEFT, left_out=1),
    Input("a map of another quantity", added(0, RescaleType="Z_EFF"), LEFT_OUT, LEFT, left_out=1),
    Input("a stray file that is cut short", _junk, LEFT_OUT, LEFT, left_out=1),
    Input(
        "a slice that is cut short",
        _short,
        "left out and told; its place holds no image",
        (Reason.SLICE_GAP, Reason.IMAGES_LEFT_OUT),
        slices=59,
        left_out=1,
        missing=(30,),
    ),
    Input("InstanceNumber A1, A2, ...", raw("InstanceNumber", "IS", lambda i: f"A{i}"), MEASURED),
    Input("InstanceNumber 1\\1", raw("InstanceNumber", "IS", lambda _: "1\\1"), MEASURED),
    Input("no InstanceNumber", each(InstanceNumber=None), MEASURED),
    Input("KVP 120 kV", raw("KVP", "DS", lambda _: "120 kV"), MEASURED),
    Input("SliceThickness 2,5", raw("SliceThickness", "DS", lambda _: "2,5"), MEASURED),
    Input("AcquisitionNumber 1.5", raw("AcquisitionNumber", "IS", lambda _: "1.5"), MEASURED),
    Input("no ImageType", each(ImageType=None), MEASURED),
    Input(
        "meta says implicit VR, the data set is explicit",
        encoded(implicit=False, declared=ImplicitVRLittleEndian),
        "read by its bytes",
    ),
    Input(
        "meta says explicit VR, the data set is implicit",
        encoded(implicit=True, declared=ExplicitVRLittleEndian),
        "read by its bytes",
    ),
    Input(
        "no meta information and no preamble",
        encoded(implicit=False, preamble=b""),
        "read by its bytes",
    ),
    Input("the same in implicit VR", encoded(implicit=True, preamble=b""), "read by its bytes"),
    Input(
        "a preamble without the letters DICM",
        encoded(implicit=False, declared=ExplicitVRLittleEndian, preamble=b"\xab" * 128),
        "read by its bytes",
    ),
    Input(
        "DICM without a preamble",
        encoded(implicit=False, declared=ExplicitVRLittleEndian, preamble=b"DICM"),
        "read by its bytes",
    ),
    Input(
        "blank slices",
        pixels(lambda i, stored: np.zeros_like(stored) if 30 <= i < 36 else stored),
        "no image there; bodies that reach into it are not graded (no-image)",
        missing=tuple(range(30, 36)),
    ),
    Input("repeated slices", _repeat, "as above", missing=tuple(range(30, 36))),
    Input(
        "a UID with a leading zero",
        each(StudyInstanceUID="1.2.826.01.007"),
        "repeated byte for byte",
    ),
    Input("a UID of 65 characters", each(SeriesInstanceUID="1" * 65), "repeated byte for byte"),
    Input("a UID of letters", each(FrameOfReferenceUID="frame 7"), "repeated byte for byte"),
    Input(
        "no study UID",
        each(StudyInstanceUID=None),
        "measured; another UID stands for it",
        (Reason.UID_DERIVED,),
    ),
    Input(
        "the patient's name changes half way",
        later(PatientName="Other^Person"),
        "refused",
        refused=Reason.IDENTITY_CONFLICT,
    ),
    Input(
        "the patient's identifier changes half way",
        later(PatientID="P-2"),
        "refused",
        refused=Reason.IDENTITY_CONFLICT,
    ),
    Input(
        "the birth date changes half way",
        later(PatientBirthDate="19600101"),
        "refused",
        refused=Reason.IDENTITY_CONFLICT,
    ),
    Input(
        "one slice at the end names another patient",
        later(59, PatientName="Other^Person"),
        "measured without it",
        (Reason.IDENTITY_CONFLICT,),
        slices=59,
    ),
    Input("the name is spelt in capitals half way", later(PatientName="TEST^PATIENT"), MEASURED),
    Input("RescaleType MGML", each(RescaleType="MGML"), "refused", refused=Reason.NOT_HU),
    Input("RescaleSlope 0", each(RescaleSlope=0), "refused", refused=Reason.NOT_HU),
    Input("no RescaleIntercept", each(RescaleIntercept=None), "refused", refused=Reason.NOT_HU),
    Input(
        "PixelSpacing 1.5 times what the field of view allows",
        each(ReconstructionDiameter=48.0),
        "refused",
        refused=Reason.SCALE_IMPLAUSIBLE,
    ),
    Input(
        "no slice has a position",
        each(ImagePositionPatient=None),
        "refused",
        refused=Reason.GEOMETRY_REFUSED,
    ),
    Input(
        "nothing but localizers",
        each(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "refused",
        refused=Reason.NOT_CT,
    ),
    Input("five slices", dropped(*range(5, 60)), "refused", refused=Reason.TOO_FEW_SLICES),
)
