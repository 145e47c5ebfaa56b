"""An output that no installation has: what a newcomer's first module looks like."""

from highdicom import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from vfnode.dicom.results.common_attributes import stamp
from vfnode.dicom.results.output_files import Output, When
from vfnode.dicom.results.result_context import Building
from vfnode.dicom.results.settings import PRODUCT

LEAFLET = Output(
    "leaflet",
    "leaflet.pdf.dcm",
    When.NEVER,
    "tests.leaflet:build_leaflet",
    "A leaflet for the patient.",
    str(EncapsulatedPDFStorage),
)


def build_leaflet(building: Building) -> Dataset:
    """An empty page."""
    context = building.context
    leaflet = SOPClass(
        study_instance_uid=context.series.study_instance_uid,
        series_instance_uid=context.uid("leaflet series"),
        series_number=9904,
        sop_instance_uid=context.uid("leaflet"),
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=1,
        modality="DOC",
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=context.settings.version,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set="ISO_IR 192",
    )
    leaflet.SeriesDescription = "Leaflet"
    leaflet.MIMETypeOfEncapsulatedDocument = "application/pdf"
    leaflet.EncapsulatedDocument = b"%PDF-1.7\n%%EOF\n "
    stamp(leaflet, context)
    return leaflet
