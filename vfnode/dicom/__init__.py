"""DICOM in, DICOM out: CT series to volumes, reports to result objects."""

import logging

import pydicom.config

# Warnings about odd values quote the values: names and identifiers would reach the logs.
# header.py checks and repairs what results carry, so nothing is lost by the silence.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("highdicom").setLevel(logging.ERROR)
