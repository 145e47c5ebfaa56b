"""One table says which objects a result has, and everything else reads it."""

import json
import subprocess
import sys

import pytest
from pydicom import dcmread

from tests.factories import CREATED, make_analysis, make_series
from tests.leaflet import LEAFLET
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.results.outputs import build_and_write
from vfnode.dicom.results.settings import ResultSettings
from vfnode.errors import SettingsError
from vfnode.node.settings.settings import load_settings


def test_an_object_is_one_line_of_the_table(tmp_path):
    """Switched on in TOML, sent to a destination, in the settings' and in the statement's words."""
    run = [sys.executable, "-m", "tests.with_leaflet", str(tmp_path)]

    told = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)

    assert '# A leaflet for the patient.\n# leaflet = "never"\n' in told["settings"]
    assert "reformat, leaflet. Empty: all of them." in told["settings"].replace("\n# ", " ")
    assert told["sent"] == [LEAFLET.sop_class]
    assert (
        "| `leaflet` | `leaflet.pdf.dcm` | never | A leaflet for the patient. |"
        in (told["statement"])
    )
    assert "| Encapsulated PDF Storage | 1.2.840.10008.5.1.4.1.1.104.1 | SCU |" in told["statement"]


def test_every_object_is_what_its_line_says(tmp_path):
    """Its SOP class, or none: that decides what is sent."""
    every = ResultSettings(objects={output.name: "always" for output in OUTPUTS})
    build_and_write(make_analysis(), make_series(tmp_path / "ct"), tmp_path / "out", every, CREATED)

    for output in OUTPUTS:
        paths = [path for path in (tmp_path / "out").iterdir() if output.owns(path.name)]
        assert paths
        assert all(path.suffix == ".dcm" for path in paths) is output.is_dicom
        if output.is_dicom:
            assert {dcmread(path).SOPClassUID for path in paths} == {output.sop_class}


def test_a_file_that_is_no_object_cannot_be_sent(tmp_path):
    """The message names those that can."""
    path = tmp_path / "vfnode.toml"
    path.write_text('[[destinations]]\nname = "his"\nae_title = "HIS"\nobjects = ["hl7"]\n')

    with pytest.raises(SettingsError, match=r"'hl7' is none of picture, .*report"):
        load_settings(path)


def test_the_table_is_read_without_its_builders():
    """Settings and the node do without what only the builders need."""
    heavy = {"highdicom", "fhir", "hl7apy", "torch"}
    code = f"import sys, vfnode.dicom.results.output_files; print({heavy} & set(sys.modules))"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "set()"
