"""The tables of the conformance statements, made from the program.

``python -m tests.docs.tables`` writes them; tests/docs/test_statements.py holds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pydicom.uid import UID

from vfnode.dicom.checks.rules import RULES
from vfnode.dicom.reading.identity_header import OPTIONAL, REQUIRED, SEQUENCES
from vfnode.dicom.results.fracture_sr_2d import FALLBACKS
from vfnode.dicom.results.output_files import OUTPUTS
from vfnode.dicom.templates import load_template
from vfnode.dicom.vocabulary import PRIVATE_SCHEME, unit_of
from vfnode.node.delivery.association import UNCOMPRESSED
from vfnode.node.receiving.ct_contexts import SOP_CLASSES, TRANSFER_SYNTAXES

DOCS = Path(__file__).parents[2] / "docs"
STATEMENTS = (DOCS / "conformance.md", DOCS / "air.md")
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def received() -> str:
    """What the node takes by C-STORE."""
    return table(
        ["SOP class", "UID", "Role"],
        [[UID(each).name, each, "SCP"] for each in (*SOP_CLASSES, UID("1.2.840.10008.1.1"))],
    )


def syntaxes() -> str:
    """In which encodings."""
    return table(["Transfer syntax", "UID"], [[each.name, each] for each in TRANSFER_SYNTAXES])


def sent_classes() -> list[UID]:
    """SOP classes that the node proposes to a destination."""
    reports = [each for kind, others in FALLBACKS.items() for each in (kind, *others)]
    built = [each for output in OUTPUTS if (each := output.sop_class)]
    return [UID(each) for each in dict.fromkeys((*reports, *built))]


def sent() -> str:
    """What the node sends."""
    encodings = ", ".join(sorted(UID(each).name for each in UNCOMPRESSED))
    return table(
        ["SOP class", "UID", "Role", "Transfer syntaxes"],
        [[each.name, each, "SCU", encodings] for each in sent_classes()],
    )


def outputs() -> str:
    """The objects of a result and their switches."""
    return table(
        ["Setting in [results]", "File", "Default", "Object"],
        [
            [f"`{each.name}`", f"`{each.file_name}`", each.when.value, each.description]
            for each in OUTPUTS
        ],
    )


def private_codes() -> str:
    """Our own codes: names, answers, reasons."""
    codes = load_template("codes.json")
    words = load_template("picture_texts.json")["en"]["reasons"]
    rows = [
        [each["value"], each["meaning"]]
        for each in codes["concepts"].values()
        if each["scheme"] == PRIVATE_SCHEME
    ]
    rows += [[value, words[name]] for name, value in codes["reasons"].items()]
    return table(["Code value", "Code meaning"], rows)


def measurements() -> str:
    """What is measured, and in which unit."""
    meanings = {
        each["value"]: (each["scheme"], each["meaning"])
        for each in load_template("codes.json")["concepts"].values()
    }
    return table(
        ["Concept", "Scheme", "Meaning", "Unit (UCUM)"],
        [[value, *meanings[value], f"`{unit.value}`"] for value, unit in unit_of().items()],
    )


def rules() -> str:
    """What is checked before an object is written."""
    return table(
        ["Rule", "What must hold"],
        [[each.name, (each.find.__doc__ or "").strip().splitlines()[0]] for each in RULES],
    )


def copied() -> str:
    """What results take over from the CT."""
    return table(
        ["Attributes", "In results"],
        [
            [", ".join(REQUIRED), "always; empty where the CT has none or an impossible one"],
            [", ".join((*OPTIONAL, *SEQUENCES)), "where the CT has one"],
        ],
    )


TABLES: dict[str, Callable[[], str]] = {
    "received": received,
    "syntaxes": syntaxes,
    "sent": sent,
    "outputs": outputs,
    "private_codes": private_codes,
    "measurements": measurements,
    "rules": rules,
    "copied": copied,
}


def with_tables(text: str) -> str:
    """A statement with the tables of today's program."""
    return TABLE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", text)


if __name__ == "__main__":
    for statement in STATEMENTS:
        statement.write_text(with_tables(statement.read_text("utf-8")), "utf-8")
