"""Small real things for tests of the node."""

import sys
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series
from vfnode.node.compute.child_process import ChildProgram
from vfnode.node.receiving.received_instance import ReceivedInstance
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.machine import ComputeSection, NodeSection
from vfnode.node.settings.receiving import ReceivingSection
from vfnode.node.settings.settings import Settings
from vfnode.spine.volume import CTVolume

FAKE_COMPUTE = Path(__file__).parent / "fake_compute.py"


FACTS = CTSeriesFacts(seed="node test", acquired=datetime(2024, 1, 2, 3, 4, 5))


def write_ct(folder: Path, slices: int = 4, facts: CTSeriesFacts = FACTS) -> list[Path]:
    """A CT of noise; 3 mm slices of 32 x 32 pixels of 1 mm."""
    hu = np.random.default_rng(1).integers(-1000, 1000, (slices, 32, 32), dtype=np.int16)
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-3, 0, 0, 0], [0, 0, 0, 1.0]])
    return list(write_ct_series(CTVolume(hu, affine), folder, facts))


def data_set(uid: str = "1.2.3.4", study: str = "1.2.3", series: str = "1.2.3.9") -> Dataset:
    item = Dataset()
    item.SOPClassUID = CTImageStorage
    item.SOPInstanceUID = uid
    item.PatientName = "Canary^Patient"
    item.StudyInstanceUID = study
    item.SeriesInstanceUID = series
    item.Rows = 1
    return item


def received(
    item: Dataset, syntax: str = ExplicitVRLittleEndian, uid: str | None = None
) -> ReceivedInstance:
    """The data set as it would come by C-STORE, uncompressed."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = UID(syntax).is_implicit_VR
    buffer.is_little_endian = UID(syntax).is_little_endian
    write_dataset(buffer, item)
    name = uid or str(item.SOPInstanceUID)
    return ReceivedInstance(CTImageStorage, name, syntax, buffer.getvalue())


def node_settings(folder: Path, port: int, *destinations: DestinationSection) -> Settings:
    """A node that finds a series complete after half a second."""
    return Settings(
        node=NodeSection(spool=folder / "spool", port=port),
        receiving=ReceivingSection(quiet_s=0.5, reserve_mb=0),
        compute=ComputeSection(time_limit_s=20),
        destinations=destinations,
    )


def fake_child(control: Path, time_limit_s: float = 20.0) -> ChildProgram:
    """The compute child of fake_compute.py; makes its control folder."""
    control.mkdir(exist_ok=True)
    return ChildProgram([sys.executable, str(FAKE_COMPUTE), str(control)], {}, time_limit_s)


def series_uid(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SeriesInstanceUID)


def harm(path: Path, damage: str) -> None:
    """Damage a file as a crash, a full disk or a bad sector does."""
    content = path.read_bytes()
    half = len(content) // 2
    if damage == "deleted":
        path.unlink()
    else:
        changed = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        path.write_bytes({"emptied": b"", "cut": content[:half], "altered": changed}[damage])
