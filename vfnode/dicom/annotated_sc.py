"""The picture as a Secondary Capture Image (PS3.3 A.8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.valuerep import DS

from vfnode.dicom.ct_series import CTSeries
from vfnode.dicom.drawing import Picture
from vfnode.dicom.evidence import stamp
from vfnode.dicom.result_settings import PRODUCT, ResultContext
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import code_item, concept

if TYPE_CHECKING:
    from highdicom.sc import SCImage


def build_annotated_sc(context: ResultContext, picture: Picture) -> SCImage:
    """RGB, uncompressed, pixels of known size; points back to every slice of the CT.

    No plane position: the straightened surface is no plane, and a false one would let a
    viewer draw reference lines that lie.
    """
    image = _image(context, picture)
    _describe(image, context, picture)
    if context.analysis.sagittal is not None:
        _calibrate(image, context, picture)
    _point_to_sources(image, context.series)
    stamp(image, context)
    return image


def _image(context: ResultContext, picture: Picture) -> SCImage:
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
        sop_instance_uid=context.uid("sc"),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=settings.version,
        institution_name=settings.institution_name,
        patient_orientation=("P", "F"),
        content_qualification="RESEARCH",
        specific_character_set="ISO_IR 192",
    )


def _describe(image: Dataset, context: ResultContext, picture: Picture) -> None:
    wording = texts("sr_texts.json", context.settings.language)
    image.SeriesDescription = wording["sc_series"].format(product=PRODUCT)
    image.DerivationDescription = wording["derivation"].format(pixel=picture.pixel_mm)
    # What is shown, and never a paired part, which would ask for a Laterality.
    image.BodyPartExamined = "SPINE"
    image.ConversionType = "WSD"
    image.BurnedInAnnotation = "YES"  # texts, but no identity of the patient
    image.RecognizableVisualFeatures = "NO"
    image.LossyImageCompression = "00"
    image.DateOfSecondaryCapture = context.created.strftime("%Y%m%d")
    image.TimeOfSecondaryCapture = context.created.strftime("%H%M%S")


def _calibrate(image: Dataset, context: ResultContext, picture: Picture) -> None:
    """Tell viewers that their ruler may be trusted (PS3.3 10.7.1.3)."""
    wording = texts("sr_texts.json", context.settings.language)
    image.PixelSpacingCalibrationType = "GEOMETRY"
    image.PixelSpacingCalibrationDescription = wording["calibration"]
    spacing = [DS(picture.pixel_mm, auto_format=True)] * 2
    image.PixelSpacing = image.NominalScannedPixelSpacing = spacing


def _point_to_sources(image: Dataset, series: CTSeries) -> None:
    items = {}
    for source in series.instances:
        item = Dataset()
        item.ReferencedSOPClassUID = source.sop_class_uid
        item.ReferencedSOPInstanceUID = source.sop_instance_uid
        item.PurposeOfReferenceCodeSequence = [code_item(concept("source_image"))]
        items[source.sop_instance_uid] = item
    image.SourceImageSequence = list(items.values())
