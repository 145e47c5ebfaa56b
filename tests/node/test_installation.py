"""Each installation is a device of its own, and stays the same one."""

import json

import pydicom
import pytest

from tests.factories import make_analysis, make_series
from tests.node.factories import node_settings
from vfnode.dicom import uids
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.dicom.uids import device_uid_of_host
from vfnode.errors import SettingsError
from vfnode.node.compute.client import compute_program
from vfnode.node.installation import FILE_NAME, device_uid


def settings_of_child(settings, uid):
    """The settings of the results as the compute child gets them."""
    return ResultSettings(**json.loads(compute_program(settings, uid).command[-1])["results"])


def test_a_spool_keeps_its_device_and_another_has_another(tmp_path):
    """After a restart the reports name the device that they named before."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first = device_uid(tmp_path / "a")

    assert pydicom.uid.UID(first).is_valid
    assert device_uid(tmp_path / "a") == first
    assert device_uid(tmp_path / "b") != first


@pytest.mark.parametrize("content", ["", "{}", '{"device_uid": "none"}', "[]"])
def test_a_damaged_identity_is_told_and_not_replaced(tmp_path, content):
    """Else the same node would be another device without anybody having decided it."""
    (tmp_path / FILE_NAME).write_text(content)

    with pytest.raises(SettingsError, match="restore it, or remove it"):
        device_uid(tmp_path)


def test_every_series_number_and_the_device_reach_the_objects(tmp_path, monkeypatch):
    """As the settings file says them, through the child's configuration into the files."""
    numbers = {"sr_series_number": 801, "sc_series_number": 802, "ko_series_number": 803}
    for name, number in numbers.items():
        monkeypatch.setenv(f"VFNODE_RESULTS__{name.upper()}", str(number))
    monkeypatch.setenv("VFNODE_RESULTS__KEY_OBJECTS", "always")
    settings = settings_of_child(node_settings(tmp_path, 11112), "2.25.77")

    build_and_write(make_analysis(), make_series(tmp_path / "ct"), tmp_path / "out", settings)

    written = {
        path.name: pydicom.dcmread(path) for path in sorted((tmp_path / "out").glob("*.dcm"))
    }
    assert {name: dataset.SeriesNumber for name, dataset in written.items()} == {
        "report.sr.dcm": 801,
        "sagittal.sc.dcm": 802,
        "sagittal-plain.sc.dcm": 802,
        "projection.sc.dcm": 802,
        "pictures.ko.dcm": 803,
    }
    assert "2.25.77" in str(written["report.sr.dcm"])


@pytest.mark.parametrize("has_machine_id", [True, False])
def test_without_a_node_the_device_is_the_machine(tmp_path, monkeypatch, has_machine_id):
    """Another machine ID or another name is another device."""
    monkeypatch.setattr(uids, "MACHINE_ID", tmp_path / "machine-id")
    if has_machine_id:
        uids.MACHINE_ID.write_text("0123456789abcdef0123456789abcdef\n")
    here = device_uid_of_host()

    assert device_uid_of_host() == here
    monkeypatch.setattr("platform.node", lambda: "another")
    assert device_uid_of_host() != here
    assert "0123456789abcdef" not in here
