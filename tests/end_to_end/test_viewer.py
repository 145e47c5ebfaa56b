"""The results in a foreign viewer: OHIF shows the three pictures and the report as they are."""

import json
import re
import urllib.request

import numpy as np
import pydicom
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from tests.end_to_end.ohif import DICOMWEB, StudyPage, chromium, missing, ohif
from tests.end_to_end.peers import Orthanc
from tests.factories import CREATED, make_analysis, make_refusal, make_series, make_volume
from vfnode.dicom.checks.result_set import children, number
from vfnode.dicom.results.outputs import build_and_write
from vfnode.spine.vertebra import COLUMNS, ENDS

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(bool(missing()), reason=f"no viewer: {missing()}"),
]
PICTURES = ("sagittal.sc.dcm", "sagittal-plain.sc.dcm", "projection.sc.dcm")
ANALYSIS = make_analysis()
LEVELS = 3  #: of 255, that interpolation may change in an even part


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Folder of a positive result, its CT beside it, and one of a study that was not evaluated."""
    folder = tmp_path_factory.mktemp("viewer")
    build_and_write(ANALYSIS, make_series(folder / "ct"), folder / "out", created=CREATED)
    other = make_series(folder / "other", make_volume((12, 16, 16), (5, 4, 4)), seed="another")
    build_and_write(make_refusal(), other, folder / "refused", created=CREATED)
    return folder


@pytest.fixture(scope="module")
def viewer(result):
    """The viewer before an archive that holds CT, pictures and reports."""
    pacs = Orthanc(result / "orthanc", Plugins=[str(DICOMWEB)])
    pacs.start()
    try:
        for path in sorted(result.glob("*/*.dcm")):
            address = f"http://127.0.0.1:{pacs.http_port}/instances"
            urllib.request.urlopen(address, data=path.read_bytes()).close()
        archive = f"http://127.0.0.1:{pacs.http_port}"
        with ohif(archive) as address, chromium(result / "profile") as page:
            yield StudyPage(page, address)
    finally:
        pacs.stop()


@pytest.fixture(scope="module")
def study(viewer, result):
    """The positive study, opened."""
    viewer.open(read(result, PICTURES[0]).StudyInstanceUID)
    viewer.skip_tour()
    return viewer


def read(result, name, kind="out"):
    """One object of a result."""
    return pydicom.dcmread(result / kind / name)


def flat_points(rgb: np.ndarray, count: int) -> np.ndarray:
    """Pixels (n, 2) (row, column) whose surroundings are even, dark, bright and coloured ones."""
    box = (5, 5, 1)
    even = ((maximum_filter(rgb, box) - minimum_filter(rgb, box)) <= 2).all(-1)
    even[:130] = even[-60:] = False  # below the viewer's own texts
    even[:, :200] = even[:, -200:] = False
    rows, columns = np.nonzero(even)
    middle = rgb[rows, columns].astype(int)
    order = np.argsort(-middle.max(-1) - 3 * np.ptp(middle, axis=-1), kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, count).astype(int)]
    return np.stack([rows[chosen], columns[chosen]], -1)


def test_the_three_pictures_are_shown_with_their_own_colours(study, result):
    """Sampled pixels of the screen are those of the object, in the order of the series."""
    pictures = [read(result, name) for name in PICTURES]
    study.open_pictures(pictures[0].SOPInstanceUID)
    for index, picture in enumerate(pictures):
        if index:
            study.scroll_to(picture.SOPInstanceUID)
        points = flat_points(picture.pixel_array, 200)
        x, y = np.floor(study.on_page(points[:, ::-1] + 0.5)).astype(int).T
        own = picture.pixel_array[points[:, 0], points[:, 1]].astype(int)

        seen = study.screenshot()[y, x]
        for _ in range(20):  # a slow machine shows thumbnails and progress for a while
            if np.abs(seen - own).max() <= LEVELS:
                break
            study.page.wait_for_timeout(1000)
            seen = study.screenshot()[y, x]

        assert np.abs(seen - own).max() <= LEVELS
        assert len(np.unique(own, axis=0)) > 5


@pytest.mark.parametrize(("index", "column"), [(1, 0), (2, 2), (3, 1)])
def test_the_viewers_own_ruler_reads_the_heights_of_the_report(index, column, study, result):
    """Laid along a drawn segment, within 0.5 mm."""
    told = json.loads((result / "out" / "result.json").read_text())
    points = told["vertebrae"][index]["keypoints_sagittal_mm"][COLUMNS[column]]
    ends_mm = np.array([points[end] for end in ENDS])
    ends = np.array(told["picture"]["origin_px"]) + ends_mm / told["picture"]["pixel_mm"]
    group = children(read(result, "report.sr.dcm"), "126010")[0].ContentSequence[index + 1]
    height_mm = number(children(group, "121207")[column])
    study.open_pictures(read(result, PICTURES[0]).SOPInstanceUID)

    reading_mm = study.measure(ends)

    assert reading_mm == pytest.approx(height_mm, abs=0.5)


def test_the_report_opens_on_the_picture_with_its_sentence(study, result):
    """And not with an error, as a group without a place does."""
    study.open_report()

    study.wait_for_image(read(result, PICTURES[0]).SOPInstanceUID)
    study.page.wait_for_selector("svg text >> text=T9: moderate wedge")
    assert "Number of graded vertebrae: 4" in study.annotations()


def test_the_report_of_a_study_that_was_not_evaluated_opens_too(study, result):
    """On the page that says why."""
    page = read(result, PICTURES[0], "refused")
    study.open(page.StudyInstanceUID)

    study.open_report()

    study.wait_for_image(page.SOPInstanceUID)
    study.page.wait_for_selector("svg text >> text=Not evaluated: No spine was found")
    assert re.search(r"Number of graded vertebrae: +[0{]", study.annotations())  # 0 is left out
