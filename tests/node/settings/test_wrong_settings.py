"""Each wrong setting in one sentence: where, what was given, what is allowed, an example."""

import pytest

from vfnode.errors import SettingsError
from vfnode.node.settings.destination import SENT
from vfnode.node.settings.settings import Settings, load_settings
from vfnode.node.settings.wrong_settings import HIDDEN, PATTERNS

PACS = '[[destinations]]\nname = "a"\nae_title = "PACS"\n'


def complaint(folder, text):
    """What is said about a file."""
    path = folder / "vfnode.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[node]\nport = 70000\n",
            "[node] port: 70000 is not allowed; it must be a whole number from 1 to 65535, for "
            "example 11112",
        ),
        (
            "[receiving]\nquiet_s = 0\n",
            "[receiving] quiet_s: 0 is not allowed; it must be a number, more than 0 and at most "
            "3600, for example 10.0",
        ),
        (
            '[receiving]\nquiet_s = "soon"\n',
            '[receiving] quiet_s: "soon" is not allowed; it must be a number, more than 0 and at '
            "most 3600, for example 10.0",
        ),
        (
            '[receiving]\ntls = "perhaps"\n',
            '[receiving] tls: "perhaps" is not allowed; it must be true or false, for example '
            "false",
        ),
        (
            '[node]\nae_title = "SEVENTEEN LETTERS"\n',
            '[node] ae_title: "SEVENTEEN LETTERS" is not allowed; it must be 1 to 16 characters '
            'without a backslash, for example "VFNODE"',
        ),
        (
            '[node]\nlog_level = "loud"\n',
            '[node] log_level: "loud" is not allowed; it must be one of "debug", "info", '
            '"warning", "error", for example "info"',
        ),
        ('[node]\nprot = "x"\n', "[node] prot: there is no such setting; did you mean port?"),
        ("[nodee]\nport = 1\n", "[nodee]: there is no such setting; did you mean node?"),
        (
            "[node]\nxyz = 1\n",
            "[node] xyz: there is no such setting; `vfnode settings` prints those there are",
        ),
        ("node = 5\n", "[node]: 5 is not allowed; it must be a table"),
        (
            '[receiving]\nallowed_callers = ["CT1"]\n',
            "[receiving] allowed_callers: 'CT1' is not 'AE title@address'; write *@ for any "
            'title, for example ["*@127.0.0.0/8", "*@::1"]',
        ),
        (
            '[receiving]\nallowed_callers = "CT1@192.0.2.7"\n',
            '[receiving] allowed_callers: "CT1@192.0.2.7" is not allowed; it must be a list, each '
            'of it a text, for example ["*@127.0.0.0/8", "*@::1"]',
        ),
        (
            '[results]\nfallback_encoding = "cp9"\n',
            "[results] fallback_encoding: unknown encoding: cp9; use a Python name such as cp1251"
            ', for example "latin-1"',
        ),
        (
            '[[destinations]]\nname = "a"\n',
            '[[destinations]] "a": ae_title must be given for kind \'dicom\', for example "PACS"',
        ),
        (
            '[[destinations]]\nae_title = "PACS"\n',
            '[[destinations]] number 1 name: must be given, for example "pacs"',
        ),
        (
            PACS + 'objects = ["report", "pictures"]\n',
            f"[[destinations]] \"a\" objects: 'pictures' is none of {', '.join(SENT)}, "
            'for example ["report", "picture"]',
        ),
        (PACS + PACS, '[[destinations]] name: "a" stands twice; rename one'),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path, text, sentence):
    """Section, key, what was given, what is allowed, an example."""
    assert complaint(tmp_path, text) == sentence


def test_several_are_told_at_once(tmp_path):
    """Each on a line of its own, counted above."""
    told = complaint(tmp_path, "[node]\nport = 0\nspol = 'x'\n[results]\nmild = 2\n")

    assert told.splitlines()[0] == "3 settings are wrong:"
    assert [line.split(":")[0].strip() for line in told.splitlines()[1:]] == [
        "[node] port",
        "[node] spol",
        "[results] mild",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[database]\nurl = ["postgresql://vfnode:geheim@db/vfnode"]\n',
        '[[destinations]]\nname = "w"\nkind = "stow"\nurl = "https://me:geheim@host/x"\n',
        '[[destinations]]\nname = "w"\nkind = "stow"\nurl = ["https://me:geheim@host"]\n',
        PACS + 'password = "geheim"\n',
        PACS + 'password_file = ["geheim"]\n',
        '[nodes]\ntoken = "geheim"\n',
        PACS + 'commitment = true\nkind = "stow"\nuser = "geheim"\n',
        '[receiving]\nallowed_callers = ["https://me:geheim@host/x"]\n',
        '[[destinations]]\nname = ["https://me:geheim@host"]\nae_title = "A"\n',
    ],
)
def test_no_secret_is_repeated(tmp_path, text):
    """Neither a password nor a URL with one, wherever it was written."""
    assert "geheim" not in complaint(tmp_path, text)


def test_what_is_left_out_is_told(tmp_path):
    """So that nobody looks for it in the sentence."""
    told = complaint(tmp_path, '[database]\nurl = ["postgresql://u:p@db/x"]\n')

    assert told == f"[database] url: {HIDDEN} is not allowed; it must be a text"


def test_a_variable_of_the_environment_is_named(monkeypatch):
    """It is not in the file, where it would be looked for."""
    monkeypatch.setenv("VFNODE_NODE__PORT", "0")

    with pytest.raises(SettingsError, match=r"^VFNODE_NODE__PORT in the environment: \"0\""):
        load_settings()


def test_a_variable_that_is_not_json_is_named_and_not_quoted(monkeypatch):
    """It may hold the password of a database."""
    monkeypatch.setenv("VFNODE_DATABASE", "{'url': 'postgresql://u:geheim@db'}")

    with pytest.raises(SettingsError, match=r"^VFNODE_DATABASE in the environment") as caught:
        load_settings()

    assert "geheim" not in str(caught.value)


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path):
    """And none of its text is quoted."""
    told = complaint(tmp_path, '[node]\npassword = "geheim\n')

    assert "vfnode.toml is not a TOML file" in told
    assert "line 2" in told
    assert "geheim" not in told


def test_every_pattern_of_a_setting_has_words():
    """A new pattern would else be shown as what it is."""
    sections = [type(field.default) for field in Settings.model_fields.values()]
    fields = [
        field for section in sections for field in getattr(section, "model_fields", {}).values()
    ]

    used = {m.pattern for field in fields for m in field.metadata if getattr(m, "pattern", None)}

    assert used <= set(PATTERNS)
