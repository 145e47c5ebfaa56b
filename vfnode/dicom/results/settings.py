"""The parts of the results that a site decides: which objects, language, series numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vfnode import __version__
from vfnode.dicom.uids import device_uid_of_host

PRODUCT = "vfnode"


@dataclass(frozen=True)
class ResultSettings:
    """Settings of the result objects."""

    version: str = __version__
    language: str = "en"  #: of texts in the report and in the pictures
    sr_series_number: int = 9901
    sc_series_number: int = 9902
    ko_series_number: int = 9903
    reformat_series_number: int = 9904
    device_name: str = PRODUCT  #: Device Observer Name, e.g. the AE title of the node
    device_uid: str = field(default_factory=device_uid_of_host)  #: a node has one of its own
    #: name of an output -> value of ``When``; what is not named keeps the table's default
    objects: Mapping[str, str] = field(default_factory=dict)
