"""TLS both ways, against DCMTK and with the commands of docs/tls.md."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.peers import wait_until
from tests.node.factories import node_settings, write_ct
from tests.node.fake_compute import build
from vfnode.errors import DeliveryDeferredError, SettingsError
from vfnode.node.delivery.destinations import make_destinations
from vfnode.node.delivery.result_object import result_objects
from vfnode.node.receiving.completeness import Completeness, QuietRule
from vfnode.node.receiving.inbox import Inbox
from vfnode.node.receiving.storage_scp import StorageSCP
from vfnode.node.settings.destination import DestinationSection
from vfnode.node.settings.receiving import TLSSection
from vfnode.node.testing.ports import answers, free_port
from vfnode.node.tls import RenewedContext, client_context, server_context

DOC = Path(__file__).parents[2] / "docs" / "tls.md"

pytestmark = pytest.mark.skipif(
    not (shutil.which("storescu") and shutil.which("openssl")),
    reason="DCMTK and openssl are not installed (apt-get install dcmtk openssl)",
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """What the commands of the document make."""
    folder = tmp_path_factory.mktemp("tls")
    commands = re.findall(r"```sh\n(.*?)```", DOC.read_text(), re.DOTALL)[0]
    subprocess.run(["sh", "-e", "-c", commands], cwd=folder, check=True, capture_output=True)
    return folder


def section(folder, name="node"):
    return TLSSection(
        certificate=folder / f"{name}.crt",
        private_key=folder / f"{name}.key",
        trusted=folder / "ca.crt",
    )


@pytest.fixture
def port(certificates, tmp_path):
    """A node's port that speaks TLS only."""
    plain = node_settings(tmp_path, free_port())
    receiving = plain.receiving.model_copy(update={"tls": True, "association_timeout_s": 2.0})
    settings = plain.model_copy(update={"receiving": receiving, "tls": section(certificates)})
    scp = StorageSCP(
        settings, Inbox(tmp_path / "inbox", 0), Completeness(QuietRule(1.0), time.monotonic)
    )
    scp.start()
    yield settings.node.port
    scp.stop(1.0)


def run(program, port, *options, files=()):
    command = [program, "-v", "-to", "5", "-aec", "VFNODE", *options, "127.0.0.1", str(port)]
    return subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, timeout=60, check=False
    )


def tls_options(folder, name="peer"):
    keys = [str(folder / f"{name}.key"), str(folder / f"{name}.crt")]
    return ["+tls", *keys, "+cf", str(folder / "ca.crt")]


def test_dcmtk_sends_by_tls(port, certificates, tmp_path):
    """A modality with a certificate of the authority stores its images."""
    images = write_ct(tmp_path / "ct", 2)

    sent = run("storescu", port, *tls_options(certificates), files=images)

    assert sent.returncode == 0, sent.stderr
    assert len(list((tmp_path / "inbox").glob("*/*/*/*.dcm"))) == 2


@pytest.mark.parametrize("stranger", ["plain", "anonymous", "other authority"])
def test_who_shows_no_certificate_of_the_authority_gets_no_association(
    stranger, port, certificates, tmp_path
):
    """No TLS, no certificate, or one that somebody else has signed."""
    options = []
    if stranger == "anonymous":
        options = ["+tla", "-ic"]
    if stranger == "other authority":
        key, certificate = tmp_path / "x.key", tmp_path / "x.crt"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        options = ["+tls", str(key), str(certificate), "+cf", str(certificates / "ca.crt")]

    assert run("echoscu", port, *options).returncode != 0
    assert run("echoscu", port, *tls_options(certificates)).returncode == 0


def test_old_tls_is_not_spoken(port, certificates):
    """TLS 1.1 ends at the handshake."""
    context = client_context(section(certificates, "peer"), check_host=True)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", port)) as wire,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
    ):
        context.wrap_socket(wire, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_tls_versions_are_spoken(version, port, certificates):
    """1.2 for the modalities that there are, 1.3 for those that come."""
    context = client_context(section(certificates, "peer"), check_host=True)
    context.minimum_version = context.maximum_version = version

    with (
        socket.create_connection(("127.0.0.1", port)) as wire,
        context.wrap_socket(wire, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]


def test_a_caller_that_never_shakes_hands_stops_nobody(port, certificates):
    """It holds a connection until its time-out, and others are served meanwhile."""
    with socket.create_connection(("127.0.0.1", port)) as silent:
        assert run("echoscu", port, *tls_options(certificates)).returncode == 0
        silent.settimeout(10)
        assert silent.recv(1) == b""


@pytest.fixture
def pacs(certificates, tmp_path):
    """DCMTK's storescp by TLS; gives its port and the folder that it writes to."""
    folder, port = tmp_path / "pacs", free_port()
    folder.mkdir()
    command = ["storescp", "-aet", "PACS", "+tls", "peer.key", "peer.crt", "+cf", "ca.crt"]
    process = subprocess.Popen([*command, "-od", str(folder), str(port)], cwd=certificates)
    wait_until(lambda: answers(port), "storescp")
    yield port, folder
    process.kill()
    process.wait()


def destination(port, tls, tmp_path):
    made = DestinationSection(name="pacs", ae_title="PACS", port=port, tls=True, timeout_s=5)
    settings = node_settings(tmp_path, 11112, made).model_copy(update={"tls": tls})
    return make_destinations(settings)["pacs"]


@pytest.fixture
def objects(tmp_path):
    images = write_ct(tmp_path / "images", 1)
    build({"instances": [str(images[0])], "results": str(tmp_path / "results")})
    return result_objects(tmp_path / "results")


def test_results_go_to_a_pacs_by_tls(pacs, certificates, objects, tmp_path):
    """storescp has both objects."""
    port, folder = pacs
    stored = []

    destination(port, section(certificates), tmp_path).send(
        objects, lambda each, status: stored.append((each, status))
    )

    assert stored == [(each, 0) for each in objects]
    assert len(list(folder.iterdir())) == 2


def test_a_pacs_that_another_authority_vouches_for_gets_nothing(
    pacs, certificates, objects, tmp_path
):
    """The node does not believe it, and tries again until a person has mended it."""
    port, folder = pacs
    tls = section(certificates).model_copy(update={"trusted": certificates / "node.crt"})

    with pytest.raises(DeliveryDeferredError):
        destination(port, tls, tmp_path).send(objects, lambda _each, _status: None)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"certificate": None}, "tls.certificate: must be given"),
        ({"trusted": Path("/nowhere/ca.crt")}, "tls.trusted: there is no file"),
        ({"certificate": DOC}, "tls: the files cannot be used"),
    ],
)
def test_files_that_cannot_be_used_are_named(change, named, certificates):
    """At the start of the node, not at the first association."""
    with pytest.raises(SettingsError, match=named):
        server_context(section(certificates).model_copy(update=change))


def test_renewed_certificates_are_taken_up_without_a_restart(certificates, tmp_path):
    """Half-replaced files change nothing; when all are there the next caller sees the new ones."""
    for name in ("node.crt", "node.key", "ca.crt", "peer.crt", "peer.key"):
        shutil.copy(certificates / name, tmp_path / name)
    renewed = RenewedContext(section(tmp_path))
    before = renewed.current()

    (tmp_path / "node.crt").write_text("half")
    kept = renewed.current()
    shutil.copy(certificates / "peer.crt", tmp_path / "node.crt")
    shutil.copy(certificates / "peer.key", tmp_path / "node.key")
    after = renewed.current()

    assert kept is before
    assert after is not before
    assert renewed.current() is after
