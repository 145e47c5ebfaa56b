"""A node between DCMTK's senders and a real Orthanc."""

import pytest
from pydicom import dcmread

from tests.end_to_end.holding_proxy import HoldingProxy
from tests.end_to_end.peers import alive, children_of, send, wait_until
from vfnode.node.testing.ports import answers

SR, SC = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"


def result_classes(orthanc):
    return sorted(instance["SOPClassUID"] for instance in orthanc.instances())


@pytest.mark.parametrize("program", ["dcmsend", "storescu"])
def test_a_series_sent_to_the_node_comes_back_to_the_pacs_as_sr_and_sc(
    program, orthanc, ct, make_node
):
    """SR and SC stand in the study of the CT; sending the CT again adds nothing."""
    node = make_node(orthanc.dicom_port)
    node.start()

    send(program, ct, node.settings.node.port)
    job = node.wait_for_state("DELIVERED")
    send(program, ct, node.settings.node.port)
    requests = node.control / "requests"
    wait_until(lambda: '"known": true' in node.log, "the second series is complete")

    assert result_classes(orthanc) == sorted([SR, SC])
    studies = {instance["StudyInstanceUID"] for instance in orthanc.instances()}
    assert studies == {dcmread(ct[0], stop_before_pixels=True).StudyInstanceUID}
    assert {receipt.status for receipt in job.receipts} == {0}
    assert len(job.receipts) == 2
    assert len(node.jobs()) == 1
    assert requests.read_text().split() == ["compute", "build"]


def test_a_node_killed_while_it_computes_delivers_once_after_its_restart(orthanc, ct, make_node):
    """kill -9 during compute loses nothing and sends nothing twice."""
    node = make_node(orthanc.dicom_port)
    hold = node.control / "hold-compute"
    hold.touch()
    node.start()
    send("dcmsend", ct, node.settings.node.port)
    node.wait_for_stage("compute")

    node.kill()
    hold.unlink()
    node.start()
    node.wait_for_state("DELIVERED")

    assert result_classes(orthanc) == sorted([SR, SC])
    assert len(node.jobs()) == 1


@pytest.mark.parametrize("held", ["requests_flow", "answers_flow"])
def test_a_node_killed_while_it_delivers_delivers_once_after_its_restart(
    held, orthanc, ct, make_node
):
    """kill -9 during delivery: before the PACS has an object, and after it, unanswered."""
    proxy = HoldingProxy(orthanc.dicom_port)
    node = make_node(proxy.port)
    node.start()
    node_hold = node.control / "hold-build"
    node_hold.touch()
    send("dcmsend", ct, node.settings.node.port)
    node.wait_for_stage("build")
    if held == "requests_flow":
        proxy.requests_flow.clear()
    else:
        proxy.hold_answers_when(lambda: len(orthanc.get("/instances")) == 2)
    node_hold.unlink()
    node.wait_for_stage("deliver")
    if held == "answers_flow":
        wait_until(lambda: not proxy.answers_flow.is_set(), "both stored, one answered")
        assert len(node.jobs()[0].receipts) == 1

    node.kill()
    proxy.hold_answers_when(lambda: False)
    proxy.requests_flow.set()
    proxy.answers_flow.set()
    node.start()
    job = node.wait_for_state("DELIVERED")
    proxy.close()

    assert result_classes(orthanc) == sorted([SR, SC])
    assert len(job.receipts) == 2


def test_sigterm_ends_the_node_and_every_process_of_it(orthanc, ct, make_node):
    """Also in the midst of a computation; the exit code is 0, and the work goes on later."""
    node = make_node(orthanc.dicom_port)
    hold = node.control / "hold-compute"
    hold.touch()
    node.start()
    send("dcmsend", ct, node.settings.node.port)
    node.wait_for_stage("compute")
    children = children_of(node.process.pid)

    code = node.stop()

    assert code == 0
    assert children
    assert not any(alive(pid) for pid in children)
    assert not answers(node.settings.node.port)
    hold.unlink()
    node.start()
    node.wait_for_state("DELIVERED")
    assert result_classes(orthanc) == sorted([SR, SC])


def test_results_wait_for_a_pacs_that_is_down(orthanc, ct, make_node):
    """WAITING with a reason while nobody answers, DELIVERED when it is up again."""
    orthanc.stop()
    node = make_node(orthanc.dicom_port)
    node.start()
    send("dcmsend", ct, node.settings.node.port)
    job = node.wait_for_state("WAITING")
    wait_until(lambda: node.jobs()[0].reason != "", "a reason")
    job = node.jobs()[0]

    orthanc.start()
    delivered = node.wait_for_state("DELIVERED")

    assert "does not answer" in job.reason
    assert delivered.reason == ""
    assert result_classes(orthanc) == sorted([SR, SC])
