"""What chooses and waits for a series knows it as reading does: the same slices, runs and gaps."""

import numpy as np
import pytest

from tests.dicom.enhanced_ct import frames_of, write_enhanced_ct
from tests.dicom.tools import edit
from tests.factories import make_ct_folder, make_volume
from vfnode.dicom.reading import series_facts
from vfnode.dicom.reading.ct_series import read_ct_series
from vfnode.dicom.reading.series_facts import FactsCache, SeriesFacts, read_facts
from vfnode.dicom.reading.series_key import SeriesKey
from vfnode.node.jobs.series_choice import choose
from vfnode.node.settings.choice import ChoiceSection

THIN, THICK = SeriesKey("p", "1.2", "1.2.9"), SeriesKey("p", "1.2", "1.2.1")


def facts_of(paths) -> SeriesFacts:
    """Facts of files that can be read."""
    facts = read_facts(paths)
    assert facts is not None
    return facts


def test_an_enhanced_ct_of_thin_frames_wins_against_thick_slices(tmp_path):
    """200 frames of 1 mm in one file are 200 slices, not one."""
    frames = frames_of(tmp_path / "frames", make_volume((200, 16, 16), (1.0, 1.5, 1.5)))
    write_enhanced_ct(frames, tmp_path / "enhanced.dcm")
    thick = make_ct_folder(tmp_path / "thick", make_volume((12, 16, 16), (5.0, 1.5, 1.5)))

    study = {THIN: facts_of([tmp_path / "enhanced.dcm"]), THICK: facts_of(thick)}

    assert study[THIN].slices == 200
    assert study[THIN].coverage_mm == pytest.approx(199.0)
    assert choose(study, ChoiceSection())[THIN].is_chosen
    assert not choose(study, ChoiceSection())[THICK].is_chosen


@pytest.mark.parametrize("lost", [[], [20]])
def test_a_lost_frame_is_a_gap_to_both(tmp_path, lost):
    """What waits for late images and what measures them agree."""
    frames = frames_of(tmp_path / "frames", make_volume((40, 16, 16), (2.0, 1.5, 1.5)))
    by_place = sorted(frames, key=lambda frame: float(frame.ImagePositionPatient[2]))
    path = tmp_path / "enhanced.dcm"
    write_enhanced_ct([f for i, f in enumerate(by_place) if i not in lost], path)

    volume = read_ct_series([path])[0].volume

    assert facts_of([path]).has_gap is bool(lost)
    assert np.count_nonzero(~volume.is_image) == len(lost)


def test_facts_and_reading_take_the_same_slices(tmp_path):
    """A phase, a localizer and jitter change neither differently."""
    paths = make_ct_folder(tmp_path, make_volume((40, 16, 16)))
    edit(paths[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    for index, path in enumerate(paths):
        turned = [1, 0, 0, 0, 1, 1e-5 * (-1) ** index]
        edit(path, ImageOrientationPatient=turned)

    series, facts = read_ct_series([tmp_path])[0], facts_of(paths)

    assert facts.slices == len(series.instances) == 39
    assert facts.step_mm == pytest.approx(series.volume.spacing_mm[0])
    assert not facts.has_gap


def test_a_series_that_is_no_hu_is_never_preferred(tmp_path):
    """Not even the thinner one: an iodine map is no CT number."""
    paths = make_ct_folder(tmp_path / "map", make_volume((60, 16, 16), (1.0, 1.5, 1.5)))
    for path in paths:
        edit(path, RescaleType="MGML")
    good = facts_of(make_ct_folder(tmp_path / "good", make_volume((12, 16, 16), (5.0, 2, 2))))

    study = {THICK: facts_of(paths), THIN: good}

    assert choose(study, ChoiceSection())[THICK].code == "not-hu"
    assert choose(study, ChoiceSection())[THIN].is_chosen


def test_facts_are_read_once_for_one_set_of_files(tmp_path, monkeypatch):
    """Not once for each sibling of the study; a late file makes another set."""
    paths = make_ct_folder(tmp_path, make_volume((20, 16, 16)))
    read: list[int] = []

    def counting(given):
        read.append(len(given))
        return read_facts(given)

    monkeypatch.setattr(series_facts, "read_facts", counting)
    cache = FactsCache()

    for given in (paths[:-1], paths[:-1], paths, paths[:-1], paths):
        cache.facts(THIN, given)

    assert read == [19, 20]
