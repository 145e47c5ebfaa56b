"""Key Object Selection that points at the pictures (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset

from vfnode.dicom.results.common_attributes import stamp
from vfnode.dicom.results.output_files import OUTPUTS, SECONDARY_CAPTURE
from vfnode.dicom.results.result_context import Building
from vfnode.dicom.results.settings import PRODUCT
from vfnode.dicom.results.summary_text import headline
from vfnode.dicom.templates import texts
from vfnode.dicom.vocabulary import concept


def build_key_objects(building: Building) -> Dataset | None:
    """For viewers that open key objects first; None where no picture is made."""
    context, settings = building.context, building.context.settings
    pictures = [
        building.made[output.name]
        for output in OUTPUTS
        if output.sop_class == SECONDARY_CAPTURE and output.name in building.made
    ]
    if not pictures:
        return None
    document = KeyObjectSelectionDocument(
        evidence=pictures,
        content=KeyObjectSelection(
            document_title=concept("of_interest"),
            referenced_objects=pictures,
            description=headline(context),
        ),
        series_instance_uid=context.uid("ko series"),
        series_number=settings.ko_series_number,
        sop_instance_uid=context.uid("ko"),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=settings.version,
        specific_character_set="ISO_IR 192",
        series_description=texts("sr_texts.json", settings.language)["ko_series"].format(
            product=PRODUCT
        ),
    )
    stamp(document, context)
    return document
