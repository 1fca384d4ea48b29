# SPDX-License-Identifier: Apache-2.0
r"""What is encoded in a text, as copies of their own: `views` decodes it, and what is encoded in that, to a set depth.

Theory. Three kinds of view see through what programs and people hide text with: the *unescaped* one has the whole text
with its escapes resolved (`escapes`), each *stretch* is text that base64, base32 or hexadecimal characters decode to
(`runs`), each *smuggled* one is text that invisible characters spell (`smuggled`). Every view leads back to the code
points of the first text that its bytes stem from. So what is found in one is cut where it is encoded: the escapes, or
the groups of characters that hold its bits.

Facts that a caller relies on.

1. Whoever scans a copy for ENCODING_EXPRESSIONS too need not ask for views where none of them matches: there are none,
   but of a text that spells something invisibly (`smuggles`), and of one that goes on and ends in what may become an
   escape (`ends_encoded`, which holds of one that ends in a run too: who looks for where runs end has not seen that).
2. A text T and what is left of it behind an offset k give the same views as far as they stem from code points at least
   LOCAL behind k. So a stream can be scanned in windows. (Where more than LOCAL / LINE code points spell each character
   of a run, as many are needed as spell LINE of them; more than that is held back of a run that goes on.)
3. Of a text that goes on, what stands before `open_from` has its final reading in the views. A view whose `continues`
   holds goes on with the text: what a scanner, or `open_from`, holds back at the end of its data is to be held back.
4. Time and memory are in proportion to the text and bounded by the budget, which is asked before anything is decoded.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from policies.scanning import escapes, runs
from policies.scanning.budget import Budget
from policies.scanning.copy import ScanCopy
from policies.scanning.smuggled import Smuggled, smuggled, smuggles

__all__ = ["DEPTH", "ENCODING_EXPRESSIONS", "LOCAL", "View", "ends_encoded", "open_from", "smuggles", "views"]

DEPTH: Final = 3
LOCAL: Final = 512

View: TypeAlias = escapes.Unescaped | runs.Stretch | Smuggled

ENCODING_EXPRESSIONS: Final = (*escapes.EXPRESSIONS, rf"[A-Za-z0-9+/_-]{{{runs.LINE}}}")


def views(
    source: "ScanCopy | View", budget: Budget, *, depth: int = DEPTH, since: int = 0, final: bool = True
) -> Iterator[View]:
    """Give the views of what is encoded in a copy, each followed by those of what is encoded in it.

    Encodings that end before `since`, an offset in its data, may be left out: a stream has judged them before. Unless
    `final`, more text follows. Raises DecodingSpent.
    """
    if depth < 1:
        return
    for view in _level(source, budget, since=since, final=final):
        yield view
        if depth > 1 and (len(view.data) >= runs.LINE or escapes.has_marks(view.data)):
            yield from views(view, budget, depth=depth - 1, final=final)


def _level(source: "ScanCopy | View", budget: Budget, *, since: int, final: bool) -> Iterator[View]:
    unescaped = escapes.unescaped(source, budget, since=since, final=final)
    if unescaped is not None:
        yield unescaped
    yield from runs.stretches(source, budget, since=since)
    if isinstance(source, ScanCopy):
        yield from smuggled(source)


def ends_encoded(data: bytes) -> bool:
    """Whether `data` ends in a run, or in what may still become an escape when more follows."""
    return runs.ends_in_run(data) or escapes.open_escape(data) < len(data)


def open_from(data: bytes) -> int:
    """Give where the end of `data` begins that may still be decoded otherwise when more follows; its length if none."""
    return min(escapes.open_escape(data), runs.open_run(data))
