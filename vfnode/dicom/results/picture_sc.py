"""The pictures as Secondary Capture Images of one series (PS3.3 A.8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.valuerep import DS

from vfnode.dicom.picture.drawing import Picture
from vfnode.dicom.reading.ct_series import SeriesSource
from vfnode.dicom.results.common_attributes import stamp
from vfnode.dicom.results.result_context import Building, ResultContext
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import code_item, concept

if TYPE_CHECKING:
    from highdicom.sc import SCImage


def build_annotated_sc(building: Building) -> Dataset:
    """The straightened sagittal with the measurements; one page with the reason without any."""
    return _build(building, building.pictures.annotated, "annotated", 1)


def build_plain_sc(building: Building) -> Dataset | None:
    """The same geometry without annotation."""
    picture = building.pictures.plain
    return None if picture is None else _build(building, picture, "plain", 2)


def build_projection_sc(building: Building) -> Dataset | None:
    """The spine as it stands in the patient, with levels and severities."""
    picture = building.pictures.projection
    return None if picture is None else _build(building, picture, "projection", 3)


def _build(building: Building, picture: Picture, kind: str, number: int) -> Dataset:
    """RGB, uncompressed, pixels of known size; points back to every slice of the CT.

    No plane position: neither the straightened surface nor a slab that follows the spine is
    a plane, and a false one would let a viewer draw reference lines that lie.
    """
    context = building.context
    image = _image(context, picture, kind, number)
    _describe(image, context, picture, kind)
    if context.analysis.sagittal is not None:
        _calibrate(image, context, picture, kind)
    image.SourceImageSequence = building.sources
    stamp(image, context)
    return image


def _image(context: ResultContext, picture: Picture, kind: str, number: int) -> SCImage:
    from highdicom.sc import SCImage  # noqa: PLC0415 - 0.7 s that not every command needs

    settings = context.settings
    return SCImage(
        pixel_array=picture.rgb,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=context.series.study_instance_uid,
        series_instance_uid=context.uid("sc series"),
        series_number=settings.sc_series_number,
        sop_instance_uid=context.uid("sc" if kind == "annotated" else f"sc {kind}"),
        instance_number=number,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=settings.version,
        patient_orientation=("P", "F"),
        content_qualification="RESEARCH",
        specific_character_set="ISO_IR 192",
    )


def _describe(image: Dataset, context: ResultContext, picture: Picture, kind: str) -> None:
    wording = texts("sr_texts.json", context.settings.language)
    image.SeriesDescription = wording["sc_series"].format(product=PRODUCT)
    image.DerivationDescription = wording["derivation"][kind].format(pixel=picture.pixel_mm)
    # What is shown, and never a paired part, which would ask for a Laterality.
    image.BodyPartExamined = "SPINE"
    image.ConversionType = "WSD"
    image.BurnedInAnnotation = "YES"  # texts, but no identity of the patient
    image.RecognizableVisualFeatures = "NO"
    image.LossyImageCompression = "00"
    image.DateOfSecondaryCapture = context.created.strftime("%Y%m%d")
    image.TimeOfSecondaryCapture = context.created.strftime("%H%M%S")


def _calibrate(image: Dataset, context: ResultContext, picture: Picture, kind: str) -> None:
    """Tell viewers that their ruler may be trusted (PS3.3 10.7.1.3), and for what."""
    wording = texts("sr_texts.json", context.settings.language)
    image.PixelSpacingCalibrationType = "GEOMETRY"
    image.PixelSpacingCalibrationDescription = wording["calibration"][kind]
    spacing = [DS(picture.pixel_mm, auto_format=True)] * 2
    image.PixelSpacing = image.NominalScannedPixelSpacing = spacing


def source_items(series: SeriesSource) -> list[Dataset]:
    """One item of Source Image Sequence for every instance of the CT."""
    items = {}
    for source in series.instances:
        item = Dataset()
        item.ReferencedSOPClassUID = source.sop_class_uid
        item.ReferencedSOPInstanceUID = source.sop_instance_uid
        item.PurposeOfReferenceCodeSequence = [code_item(concept("source_image"))]
        items[source.sop_instance_uid] = item
    return list(items.values())
