# SPDX-License-Identifier: Apache-2.0
"""Which articles and controls an evidence pack answers, from `controls.yaml`: as a page and as a table."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from controlplane.evidence.pages import Page, Table
from controlplane.exports.cells import harmless

_FILE: Final = Path(__file__).with_name("controls.yaml")
_HONESTLY: Final = (
    "What this pack has to say to each requirement, and what it leaves open. It answers with records and proofs; "
    "whether a requirement is satisfied is for an auditor to judge."
)


class Answers(StrEnum):
    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One requirement. `where` are parts of the pack, `gaps` what it does not answer."""

    framework: str
    reference: str
    asks: str
    answer: Answers
    where: tuple[str, ...]
    how: str
    gaps: str


@cache
def controls() -> tuple[Control, ...]:
    """Return the requirements in the order of the file. Raises TypeError or ValueError where it is not one."""
    read = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(Control(**{**one, "answer": Answers(one["answer"]), "where": tuple(one["where"])}) for one in read)


def controls_page() -> Page:
    columns = ("Requirement", "Asks", "Answered", "Where", "How", "Not answered")
    frameworks = dict.fromkeys(control.framework for control in controls())
    tables = tuple(
        Table(
            title=framework,
            columns=columns,
            rows=tuple(
                (one.reference, one.asks, one.answer.value, ", ".join(one.where), one.how, one.gaps)
                for one in controls()
                if one.framework == framework
            ),
        )
        for framework in frameworks
    )
    return Page(title="What this pack answers", paragraphs=(_HONESTLY,), tables=tables)


def controls_csv() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(field.name for field in fields(Control))
    writer.writerows(map(_cells, controls()))
    return text.getvalue().encode()


def _cells(control: Control) -> Iterator[str]:
    for field in fields(Control):
        value = getattr(control, field.name)
        yield harmless(" ".join(value) if isinstance(value, tuple) else str(value))
