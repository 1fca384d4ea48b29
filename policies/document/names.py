# SPDX-License-Identifier: Apache-2.0
"""The names documents use for subjects, models and operations, and how each must look."""

import re
from typing import Final

from policies.contracts.errors import Position
from policies.document.model import Placed
from policies.document.reader import Reader
from policies.document.tree import Node

_NAME: Final = r"[A-Za-z0-9._@-]{1,128}"
_PERSON: Final = re.compile(rf"(user|service):{_NAME}")
_SUBJECT: Final = re.compile(rf"(user|service|group):{_NAME}|\*")
_GROUP: Final = re.compile(_NAME)
_MODEL: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}|\*")
_OPERATION: Final = re.compile(r"[a-z]+(\.[a-z]+)*|\*")
_EXACT_OPERATION: Final = re.compile(r"[a-z]+(\.[a-z]+)*")


def person(reader: Reader, node: Node | None, *, what: str = "a member") -> str:
    return reader.matching(node, _PERSON, what=what, form="'user:NAME' or 'service:NAME'")


def group_name(reader: Reader, name: str, at: Position) -> str:
    if _GROUP.fullmatch(name):
        return name
    reader.problem("wrong-form", at, "This is not a group's name.", "Use letters, digits, '.', '_', '@' and '-'.")
    return ""


def subjects(reader: Reader, node: Node | None, *, what: str) -> tuple[tuple[str, ...], tuple[Placed, ...]]:
    """Return the subjects in a list, and the groups among them with their places."""
    form = "'user:NAME', 'service:NAME', 'group:NAME' or '*'"
    items = reader.items(node, what=what, least=1)
    names = tuple(reader.matching(item, _SUBJECT, what="a subject", form=form) for item in items)
    groups = tuple(
        Placed(name=name.removeprefix("group:"), at=item.at)
        for name, item in zip(names, items, strict=True)
        if name.startswith("group:")
    )
    return names, groups


def models(reader: Reader, node: Node | None) -> tuple[str, ...]:
    form = "an exact model id of letters, digits and '._:/-', or '*'"
    items = reader.items(node, what="'models'")
    return tuple(reader.matching(item, _MODEL, what="a model", form=form) for item in items)


def model(reader: Reader, node: Node | None) -> str:
    return reader.matching(node, _MODEL, what="a model", form="an exact model id of letters, digits and '._:/-'")


def operations(reader: Reader, node: Node | None, *, least: int = 0) -> tuple[str, ...]:
    form = "lower-case words joined by '.', such as 'chat.completions', or '*'"
    items = reader.items(node, what="'operations'", least=least)
    return tuple(reader.matching(item, _OPERATION, what="an operation", form=form) for item in items)


def operation(reader: Reader, node: Node | None) -> str:
    form = "lower-case words joined by '.', such as 'chat.completions'"
    return reader.matching(node, _EXACT_OPERATION, what="an operation", form=form)
