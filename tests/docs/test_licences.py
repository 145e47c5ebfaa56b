"""What a hospital's lawyers ask: the licence of everything that an installation brings."""

import re

from tests.docs.licences import NOTICE, ROOT, licences, with_licences

#: Weak copyleft, on the library itself: used unmodified, each of them replaceable. NOTICE says so.
WEAK = {"psycopg": "LGPL-3.0-only", "psycopg-binary": "LGPL-3.0-only"}
COPYLEFT = re.compile(r"GPL|General Public|MPL|EUPL|CDDL|EPL|CC-BY-SA|CC-BY-NC|unknown", re.I)


def test_the_list_in_notice_is_that_of_the_installation():
    """Run ``make licences`` after a change of requirements."""
    text = NOTICE.read_text("utf-8")

    assert with_licences(text) == text


def test_nothing_copyleft_is_installed_but_what_is_named():
    """A new dependency with such a licence fails here, before a hospital finds it."""
    found = {name: licence for name, licence, _ in licences() if COPYLEFT.search(licence)}

    assert found == WEAK
    for name in found:
        assert re.search(rf"\b{name}\b", NOTICE.read_text("utf-8").split("Installed packages")[0])


def test_the_licences_themselves_are_here():
    """Of the code, of the weights, of the fonts."""
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert "CC-BY-4.0" in (ROOT / "models" / "LICENSE").read_text("utf-8")
    assert "Apache License" in (ROOT / "dicom_templates" / "fonts" / "LICENSE.txt").read_text(
        "utf-8"
    )
