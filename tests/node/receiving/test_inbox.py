"""The inbox: acknowledged means on disk, once, under its own UIDs."""

import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom import dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.node.factories import data_set, received
from vfnode.dicom.reading.series_key import series_key
from vfnode.errors import InboxFullError, InvalidInstanceError, SettingsError
from vfnode.node.receiving.inbox import INCOMING, Arrival, Inbox, conflicting_instances
from vfnode.node.receiving.received_instance import ReceivedInstance

KEY = series_key(data_set())


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox", reserve_bytes=0)


def files(inbox_folder):
    return [path for path in inbox_folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_stored_instance_is_a_dicom_file_with_the_bytes_that_came(inbox, syntax):
    """Preamble and file meta stand before the data set, which is not encoded anew."""
    instance = received(data_set(), syntax)

    key, arrival = inbox.put(instance)

    (path,) = inbox.instances(key)
    assert (key, arrival, path.name) == (KEY, Arrival.STORED, "1.2.3.4.dcm")
    assert path.read_bytes().endswith(instance.dataset)
    assert dcmread(path) == data_set()
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax


def test_the_uids_of_a_deflated_instance_are_found(inbox):
    """Deflated Explicit VR Little Endian is stored as it came."""
    plain = received(data_set())
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = deflate.compress(plain.dataset) + deflate.flush()
    instance = ReceivedInstance(
        plain.sop_class_uid, plain.sop_instance_uid, DeflatedExplicitVRLittleEndian, body
    )

    key, _ = inbox.put(instance)

    assert dcmread(inbox.instances(key)[0]).PatientName == "Canary^Patient"


def test_the_same_bytes_again_are_stored_once(inbox, tmp_path):
    """A resend is a success and adds nothing."""
    inbox.put(received(data_set()))

    _, arrival = inbox.put(received(data_set()))

    assert arrival is Arrival.REPEATED
    assert len(files(tmp_path)) == 1


def test_other_bytes_under_the_same_uid_stand_beside_the_first(inbox, tmp_path):
    """Nothing is overwritten; the newest counts, unless it is let go of as nothing new."""
    for rows in (1, 2, 3, 2):
        item = data_set()
        item.Rows = rows
        arrivals = [inbox.put(received(item))[1] for _ in range(2)]
        assert arrivals[1] is Arrival.REPEATED

    (newest,) = inbox.instances(KEY)
    earlier = inbox.earlier_version(newest)
    assert [dcmread(path).Rows for path in (newest, earlier)] == [3, 2]
    inbox.drop_version(newest)

    assert inbox.instances(KEY) == [earlier]
    assert conflicting_instances(tmp_path / "inbox", KEY) == ["1.2.3.4"]
    assert inbox.earlier_version(inbox.earlier_version(earlier)) is None


def test_the_same_uids_of_another_patient_are_another_series(inbox):
    """A corrected name, identifier or birth date; no path names the patient."""
    for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
        item = data_set()
        setattr(item, keyword, "19500101")
        inbox.put(received(item))
    inbox.put(received(data_set()))

    keys = list(inbox.series())

    assert len({key.patient_digest for key in keys}) == 4
    assert {key.study_instance_uid for key in keys} == {"1.2.3"}
    assert "Canary" not in str([inbox.instances(key) for key in keys])


@pytest.mark.parametrize(
    "uid",
    ["1.2.826.0.1.3680043.09.1.007", "1.2.3-4", "1" * 65, "study 7", "../../etc", "..", "a*?[b]@2"],
)
def test_a_scanners_uid_is_filed_whatever_it_is(inbox, tmp_path, uid):
    """Leading zeros, 65 characters, text; and no path character leaves the inbox."""
    key, _ = inbox.put(received(data_set(uid=uid, study=uid, series=uid)))

    assert (key.study_instance_uid, key.series_instance_uid) == (uid, uid)
    assert list(inbox.series()) == [key]
    (path,) = inbox.instances(key)
    assert path.relative_to(tmp_path / "inbox").parts[0] == key.patient_digest
    assert len(path.relative_to(tmp_path / "inbox").parts) == 4


def test_one_uid_in_two_series_is_two_instances(inbox):
    """The key is study, series and instance: senders reuse instance UIDs."""
    inbox.put(received(data_set()))
    inbox.put(received(data_set(series="1.2.3.10")))

    assert len(list(inbox.series())) == 2


def test_two_senders_of_one_instance_at_once_leave_one_file(inbox, tmp_path):
    """Both are told Success; nobody sees half a file."""
    instance = received(data_set())

    with ThreadPoolExecutor(8) as pool:
        arrivals = [arrival for _, arrival in pool.map(inbox.put, [instance] * 32)]

    assert sorted(arrival.value for arrival in arrivals) == ["repeated"] * 31 + ["stored"]
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (data_set(study="1" * 81), "StudyInstanceUID"),
        (data_set(series=""), "SeriesInstanceUID"),
        (data_set(uid="1\n2"), "SOPInstanceUID"),
    ],
)
def test_what_cannot_be_a_uid_is_refused(inbox, tmp_path, item, reason):
    """Empty, endless and unprintable ones are refused, and nothing is written."""
    with pytest.raises(InvalidInstanceError, match=reason):
        inbox.put(received(item))

    assert files(tmp_path) == []


def test_a_request_that_contradicts_its_data_set_is_refused(inbox):
    """The file would stand under a UID that it does not have."""
    with pytest.raises(InvalidInstanceError, match="differs"):
        inbox.put(received(data_set(), uid="1.2.3.5"))


@pytest.mark.parametrize("dataset", [b"", b"\x08\x00", b"\xff" * 300, b"no DICOM at all" * 50])
def test_what_cannot_be_read_is_refused(inbox, dataset):
    """Broken bytes are the sender's fault: an error it can understand, no traceback."""
    with pytest.raises(InvalidInstanceError):
        inbox.put(ReceivedInstance("1.2", "1.2.3", ExplicitVRLittleEndian, dataset))


def test_an_instance_with_sequences_before_its_uids_is_filed(inbox):
    """Undefined lengths are read over, not searched for bytes."""
    item = data_set()
    nested = data_set(study="9.9", series="9.9.9")
    item.ReferencedStudySequence = Sequence([nested])
    item["ReferencedStudySequence"].is_undefined_length = True

    key, _ = inbox.put(received(item))

    assert key == KEY


def test_below_the_reserve_of_the_disk_nothing_is_taken(tmp_path):
    """The sender may try again later; what stands stays."""
    inbox = Inbox(tmp_path / "inbox", reserve_bytes=2**62)

    with pytest.raises(InboxFullError, match="reserve"):
        inbox.put(received(data_set()))


def test_an_inbox_that_is_gone_takes_nothing_for_now(inbox, tmp_path):
    """Its disk may be away: the sender keeps the image, and nothing is made in its place."""
    shutil.rmtree(tmp_path / "inbox")

    with pytest.raises(InboxFullError, match="cannot be written: No such file"):
        inbox.put(received(data_set()))

    assert not (tmp_path / "inbox").exists()


def test_images_that_an_older_release_filed_are_not_overlooked(tmp_path):
    """They were acknowledged: the node says that they lie there, and what to do."""
    (tmp_path / "inbox" / "1.2.3" / "1.2.3.9").mkdir(parents=True)
    (tmp_path / "inbox" / "1.2.3" / "1.2.3.9" / "1.2.3.4.dcm").write_bytes(b"an image")

    with pytest.raises(SettingsError, match=r"older release .* `vfnode send`"):
        Inbox(tmp_path / "inbox", reserve_bytes=0)


def test_what_a_killed_process_left_half_written_is_removed(inbox, tmp_path):
    """It was never acknowledged, and it is no instance."""
    (tmp_path / "inbox" / INCOMING / "abc.part").write_bytes(b"half")

    assert inbox.drop_unfinished() == 1
    assert files(tmp_path) == []


def test_removed_instances_take_empty_folders_with_them(inbox, tmp_path):
    """The other series of a study stays."""
    inbox.put(received(data_set()))
    inbox.put(received(data_set(series="1.2.3.10")))

    inbox.remove(KEY, ["1.2.3.4.dcm", "9.9.dcm"])

    assert [key.series_instance_uid for key in inbox.series()] == ["1.2.3.10"]
    assert not (tmp_path / "inbox" / KEY.patient_digest / "1.2.3" / "1.2.3.9").exists()
