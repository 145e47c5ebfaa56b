"""The compute child's own work, with the real reader and builder and a small pipeline."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pydicom import dcmread

from tests.node.factories import write_ct
from vfnode.dicom.results.settings import ResultSettings
from vfnode.node.compute.analysis_store import load_analysis, save_analysis
from vfnode.node.compute.child import Computer
from vfnode.node.compute.series_reader import refusal
from vfnode.node.delivery.result_object import result_objects
from vfnode.spine.genant import GenantLimits
from vfnode.spine.reason import Reason
from vfnode.spine.report import Analysis, FractureReport
from vfnode.spine.straighten import SagittalImage


class BlindPipeline:
    """Finds no spine in anything."""

    def analyze(self, volume):  # noqa: ARG002
        return Analysis(FractureReport((), None, (), reason=Reason.NO_SPINE), None)


@pytest.fixture
def request_of(tmp_path):
    instances = [str(path) for path in write_ct(tmp_path / "ct", slices=12)]

    def make(command, results="results"):
        return {
            "command": command,
            "instances": instances,
            "analysis": str(tmp_path / "analysis"),
            "results": str(tmp_path / results),
            "created": "2024-01-02 03:04:05",
        }

    return make


def test_a_series_without_a_spine_still_has_its_objects(request_of, tmp_path):
    """A coded 'not evaluable' goes to the PACS: silence would look like a normal spine."""
    computer = Computer(BlindPipeline, ResultSettings())

    answer = computer.answer(request_of("compute"))
    computer.answer(request_of("build"))

    assert answer["reason"]["code"] == "no-spine"
    assert {each.path.name for each in result_objects(tmp_path / "results")} == {
        "report.sr.dcm",
        "sagittal.sc.dcm",
    }
    result = json.loads((tmp_path / "results" / "result.json").read_text())
    assert result["status"] == "not_evaluable"


def test_a_series_that_is_refused_while_read_still_has_its_objects(request_of, tmp_path):
    """Too few slices, a gap: the answer goes to the PACS, from the headers alone."""
    computer = Computer(BlindPipeline, ResultSettings())
    request = request_of("compute")
    request["instances"] = request["instances"][:4]

    answer = computer.answer(request)
    built = Computer(BlindPipeline, ResultSettings())  # another child after a restart
    built.answer(request | {"command": "build"})

    assert answer["reason"]["code"] == "too-few-slices"
    names = {each.path.name for each in result_objects(tmp_path / "results")}
    assert names == {"report.sr.dcm", "sagittal.sc.dcm"}


def test_an_analysis_that_failed_is_told_from_the_headers(request_of, tmp_path):
    """Reading the volume may be what killed the child: it is not tried again."""
    request = request_of("build")
    save_analysis(refusal(Reason.COMPUTE_FAILED, GenantLimits()), tmp_path / "analysis")

    Computer(BlindPipeline, ResultSettings()).answer(request)

    result = json.loads((tmp_path / "results" / "result.json").read_text())
    assert result["reason"]["code"] == "compute-failed"


def test_a_later_result_names_the_report_that_it_replaces(request_of, tmp_path):
    """As the node asks it to."""
    computer = Computer(BlindPipeline, ResultSettings())
    computer.answer(request_of("compute"))
    computer.answer(request_of("build", "first"))
    before = tmp_path / "first" / "report.sr.dcm"

    computer.answer(request_of("build", "later") | {"replaces": str(before)})

    report = dcmread(tmp_path / "later" / "report.sr.dcm")
    assert "PredecessorDocumentsSequence" in report


def test_building_again_makes_objects_with_the_same_uids(request_of, tmp_path):
    """In another child as well: a step that runs twice must not double a result."""
    Computer(BlindPipeline, ResultSettings()).answer(request_of("compute"))
    for results in ("first", "second"):
        Computer(BlindPipeline, ResultSettings()).answer(request_of("build", results))

    first, second = (result_objects(tmp_path / name) for name in ("first", "second"))
    assert [each.sop_instance_uid for each in first] == [each.sop_instance_uid for each in second]
    assert len({each.sop_instance_uid for each in first}) == 2


def test_an_analysis_on_disk_is_the_analysis(tmp_path):
    """What build reads is what compute found."""
    sagittal = SagittalImage(np.arange(20, dtype=np.float32).reshape(5, 4), 0.5)
    report = FractureReport((), None, (), quality=(Reason.THICK_SLICES,), timing_s={"detect": 1.5})

    save_analysis(Analysis(report, sagittal), tmp_path)
    loaded = load_analysis(tmp_path)

    assert loaded.report == report
    assert loaded.sagittal is not None
    assert np.array_equal(loaded.sagittal.hu, sagittal.hu)
    assert loaded.sagittal.step_mm == sagittal.step_mm


def test_the_node_itself_imports_no_networks_and_no_builders():
    """torch and highdicom cost seconds and hundreds of megabytes: they stay in the child."""
    code = "import sys, vfnode.node.app; print(sorted({'torch', 'highdicom'} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
