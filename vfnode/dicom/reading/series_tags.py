"""The attributes of a series that site rules may look at; none about the patient's identity."""

from __future__ import annotations

TAGS = [
    "ImageType",
    "SOPClassUID",
    "Modality",
    "Manufacturer",
    "StationName",
    "BodyPartExamined",
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "RescaleType",
]
