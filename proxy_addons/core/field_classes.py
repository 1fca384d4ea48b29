# SPDX-License-Identifier: Apache-2.0
"""Which field class the texts of an answer are of, by the names of the members that they stand in.

Rule: the outermost member with a class decides, but for the content of a message, of which a part may be reasoning or a
refusal. Whatever has no class is OTHER: rules that select no fields look at it all the same.
"""

from collections.abc import Iterable
from typing import Final

from policies.contracts.snapshot import FieldClass

_CLASSES: Final = {
    "content": FieldClass.ASSISTANT_TEXT,
    "text": FieldClass.ASSISTANT_TEXT,
    "reasoning": FieldClass.REASONING,
    "reasoning_content": FieldClass.REASONING,
    "reasoning_details": FieldClass.REASONING,
    "thinking": FieldClass.REASONING,
    "summary": FieldClass.REASONING,
    "refusal": FieldClass.REFUSAL,
    "arguments": FieldClass.TOOL_ARGUMENTS,
    "transcript": FieldClass.TRANSCRIPT,
    "error": FieldClass.ERROR,
}
_OPEN: Final = frozenset({FieldClass.OTHER, FieldClass.ASSISTANT_TEXT})


def of_member(name: str, within: FieldClass) -> FieldClass:
    """Return the class of what stands at the member `name` of a value of the class `within`."""
    return _CLASSES.get(name, within) if within in _OPEN else within


def of_path(path: Iterable[str | int]) -> FieldClass:
    """Return the class of what stands at `path` of an answer."""
    field = FieldClass.OTHER
    for name in path:
        if isinstance(name, str):
            field = of_member(name, field)
    return field
