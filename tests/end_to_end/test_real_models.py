"""``vfnode serve`` with the shipped models, from a synthetic chest CT to Orthanc."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.end_to_end.peers import send
from vfnode.dicom.ct_writer import CTSeriesFacts, write_ct_series
from vfnode.node.jobs.job_folder import job_folder
from vfnode.training.synthetic.chest_ct import synthesize_chest_ct

MODELS = Path(__file__).parents[2] / "models"

pytestmark = pytest.mark.skipif(
    not all((MODELS / name).is_dir() for name in ("spine", "vertebrae", "keypoints")),
    reason="the models are not all there (vfnode train)",
)


def test_a_chest_ct_comes_back_as_the_objects_of_its_result(orthanc, real_node, tmp_path):
    """What Orthanc holds is what stands in the spool, measured on six or more bodies."""
    ct = synthesize_chest_ct(7, spacing_mm=(2.0, 1.0, 1.0), levels=("T5", "T12"))
    facts = CTSeriesFacts(seed="real models", acquired=datetime(2024, 1, 2, 3, 4, 5))
    images = list(write_ct_series(ct.volume, tmp_path / "ct", facts))

    send("dcmsend", images, real_node.settings.node.port)
    job = real_node.wait_for_state("DELIVERED")
    code = real_node.stop()

    folder = job_folder(real_node.settings, job.job_id)
    result = json.loads((folder.results / "result.json").read_text())
    held = {instance["SOPInstanceUID"]: instance for instance in orthanc.instances()}
    assert code == 0
    assert set(held) == {receipt.sop_instance_uid for receipt in job.receipts}
    assert {each["StudyInstanceUID"] for each in held.values()} == {facts.study_instance_uid}
    assert {each["Modality"] for each in held.values()} == {"SR", "OT"}
    assert result["status"] == "analysed"
    assert len(result["vertebrae"]) >= 6
