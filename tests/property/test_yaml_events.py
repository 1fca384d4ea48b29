# SPDX-License-Identifier: Apache-2.0
"""libyaml and PyYAML read alike whatever the first is given, so that no document has two meanings."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.document.yaml_events import yaml_events

_LIBRARY = Path(__file__).parents[2] / "policies" / "library"
_DOCUMENTS = [path.read_text() for path in sorted(_LIBRARY.rglob("*.yaml"))]
_SMALL = (
    '{"a": "\\ud83d\\ude00", "b": [1, 2, {"c": "d"}]}',
    "a: |+\n  x\n\n\n",
    "a: >-\n  x\n  y\n",
    "a: 'it''s'\nb: \"\\x41\"\n? c\n: - d\n",
    "%YAML 1.1\n---\na: !!str b\nc: &x d\ne: *x\n",
    "a:\r\n  - b\t\r\n",
)
_MARKS = ":-?,[]{}#&*!|>'\"%@` \t\n\r\x00\x7f\x85\xa0  ﻿ab01~.\\é😀"


@given(st.sampled_from(_SMALL + tuple(_DOCUMENTS)), st.integers(0, 2**32))
def test_a_document_has_the_events_that_pyyaml_gives(text: str, seed: int) -> None:
    altered = _altered(text, random.Random(seed))

    assert _read(yaml_events(altered)) == _read(yaml.parse(altered, Loader=yaml.SafeLoader))


@pytest.mark.parametrize("text", ["a:\tb\n", "{a?b: c}\n", "a: |#\n  x\n", "﻿﻿a: b\n", "a: \x00\n"])
def test_what_the_two_are_known_to_read_otherwise_is_left_to_pyyaml(text: str) -> None:
    assert _read(yaml_events(text)) == _read(yaml.parse(text, Loader=yaml.SafeLoader))


def test_libyaml_is_there_to_be_compared() -> None:
    assert yaml.__with_libyaml__


def _altered(text: str, chance: random.Random) -> str:
    """Return at most twenty lines of `text` with up to four characters inserted, replaced or removed."""
    lines = text.splitlines(keepends=True)
    first = chance.randrange(max(1, len(lines) - 20))
    kept = list("".join(lines[first : first + 20]))
    for _ in range(chance.randrange(5)):
        place = chance.randrange(len(kept) + 1)
        kept[place : place + chance.randrange(2)] = chance.choice(["", chance.choice(_MARKS)])
    return "".join(kept)


def _read(events: Iterator[yaml.Event]) -> list[Any]:
    """Return what a document's reader uses of `events`, and at their end the error's type and place, if there is one."""
    read: list[Any] = []
    try:
        for event in events:
            if getattr(event, "tag", None) is not None:  # the reader refuses the document here
                read.append(("tag", _place(event)))
                return read
            read.append(_used(event))
    except yaml.MarkedYAMLError as exc:
        mark: Any = exc.problem_mark or exc.context_mark
        read.append((type(exc).__name__, exc.problem, mark.line, mark.column))
    except (yaml.YAMLError, ValueError, OverflowError, IndexError) as exc:
        read.append((type(exc).__name__, str(exc)))
    return read


def _used(event: yaml.Event) -> tuple[Any, ...]:
    placed = _place(event) if isinstance(event, yaml.NodeEvent) else None
    told = tuple(getattr(event, name, None) or None for name in ("anchor", "tags", "version", "style"))
    return type(event).__name__, getattr(event, "value", None), placed, *told


def _place(event: yaml.Event) -> tuple[int, int]:
    mark: Any = event.start_mark
    return mark.line, mark.column
