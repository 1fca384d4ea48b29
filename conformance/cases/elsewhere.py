# SPDX-License-Identifier: Apache-2.0
"""The cases that this suite does not hold. Each is listed, so that a run never looks more complete than it is."""

from typing import Final

from conformance.case import Case

_HIDING: Final = "screening of prompts: not in this suite yet"
_OPERATION: Final = "a matter of operation or of the control plane: not visible on the data port"

NOT_HERE_YET: Final = (
    Case(number=37, title="Invisible characters within words", where=_HIDING),
    Case(number=38, title="Text in tag characters and variation selectors", where=_HIDING),
    Case(number=39, title="Letters that look like others", where=_HIDING),
    Case(number=40, title="Marks that turn the direction of text", where=_HIDING),
    Case(number=41, title="Words spelt with digits, blanks or accents", where=_HIDING),
    Case(number=42, title="Encoded text, also within encoded text", where=_HIDING),
    Case(number=43, title="Text split over messages, parts or items", where=_HIDING),
    Case(number=44, title="Text split over turns", where=_HIDING),
    Case(number=45, title="Instructions in roles, names, tools and schemas", where=_HIDING),
    Case(number=46, title="Instructions in results of tools and in documents", where=_HIDING),
    Case(number=51, title="Instructions at the end of a very long prompt", where=_HIDING),
    Case(number=52, title="Prompts and patterns that exhaust a classifier", where=_HIDING),
    Case(number=59, title="Usage that is missing or untrue", where=_OPERATION),
    Case(number=64, title="Answers from a cache", where="there is no cache"),
    Case(number=69, title="A log store that is down or full", where="a matter of stopping it and filling its disk"),
)
