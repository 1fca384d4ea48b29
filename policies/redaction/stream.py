# SPDX-License-Identifier: Apache-2.0
"""Redaction of a text while it arrives.

Theory: what the patterns of the finder say can no longer become a finding, or a part of one, is decided; it leaves at
once, and what is found in it is the same as in the whole text (`policies.scanning.finder`). So what has left is always
a prefix of the redaction of the whole text, wherever the text was cut, and what is held is the shortest that it can be.

Kept are the code points before the undecided that a finding may look back at. A finding that lasts until something has
passed (a private key) is written as soon as it has begun, and nothing of it is kept but what that may begin in.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from policies.contracts.snapshot import AtBound, RedactionAction
from policies.redaction.field_rules import FieldRules
from policies.redaction.findings import AnswerBlocked, AppliedRule, FindingCount, Tally
from policies.redaction.looking import look
from policies.redaction.rewriting import Rewriter
from policies.redaction.waiting import Waiting
from policies.scanning.copy import ScanCopy
from policies.scanning.finder import LOOKBEHIND, Finding, Found

# More than any mark has that ends a finding.
_LONGEST_MARK: Final = 128
# What took the place of more than could be held goes on until the next white space.
_WHITE_SPACE: Final = re.compile(rb"\s")
_HELD: Final = "held-text"
# What stands for a rule where a bound is reached: what no rule of an author can be called.
MAX_BYTES: Final = "hold.max_bytes"
MAX_MS: Final = "hold.max_ms"
_MOST_BYTES: Final = 4  # of a character in UTF-8
# More than any finding but a long one, which has no white space. Where so much is held it is looked at again when a
# part more of it has come, not for each character: else the cost would grow with the square of what is held.
_ENDS_LONG: Final = re.compile(r"\s")
_MUCH: Final = 1_024
_GROWTH: Final = 16


class StreamRedactor:
    """Redacts one text that arrives in pieces. After AnswerBlocked it MUST NOT be used again."""

    __slots__ = (
        *("_came", "_finder", "_given_up_to", "_limit", "_next", "_path", "_rewriter", "_rules", "_start"),
        *("_tally", "_text", "_until", "_waiting"),
    )

    def __init__(self, rules: FieldRules, tally: Tally, path: str = "") -> None:
        self._rules = rules
        self._finder = rules.finder
        self._limit = rules.terms.hold.max_bytes
        self._tally = tally
        self._path = path
        self._came = 0  # code points that have come since something was looked at
        self._rewriter = Rewriter(rules, tally, path)
        self._text = ""  # what was decided and may be looked back at, and from `_start` on what is undecided
        self._start = 0
        self._next = 0  # how long the text is to be before it is looked at again
        self._until: re.Pattern[bytes] | None = None  # what ends the finding we are inside of, looked for from `_start`

        self._given_up_to = 0  # what stands before this and behind `_start` has waited too long, and does not leave
        max_ms = rules.terms.hold.max_ms
        self._waiting = None if max_ms is None or not rules.changes else Waiting(max_ms, tally.clock)

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        return self._tally.findings

    def feed(self, text: str) -> str:
        """Return what may leave now that `text` has arrived.

        Raises AnswerBlocked once a finding is certain that a rule blocks; nothing of it was returned before.
        """
        rules = self._rules
        if rules.idle:
            return text
        self._text += text
        self._came += len(text)
        if len(self._text) < self._next and _ENDS_LONG.search(text) is None:
            left = ""
        else:
            left = self._inside() if self._until is not None else self._decided()
        if self._waiting is not None:
            self._note(len(text))
        # Rules that only look let everything pass, whatever they have not made up their minds about.
        return left if rules.changes else text

    def feed_run(self, texts: list[str]) -> Iterator[str]:
        """Give what may leave now that `texts` have arrived, one behind the other: pieces, cut as the texts were.

        Texts among which something is redacted leave as one piece. Where a rule may stop the answer each is fed by
        itself, so that those before a finding have left when AnswerBlocked is raised.
        """
        if not self._rules.changes:
            self.feed("".join(texts))
            yield from texts
        elif (
            self._is_plain
            and not self._next
            and (decided := self._quiet(text := self._text + "".join(texts))) is not None
        ):
            held, came = self._text[self._start :], len(text) - len(self._text)
            self._text = text
            left = len(self._let_go(decided))
            self._note(came)
            yield from _cut([held + texts[0], *texts[1:]], left)
        elif self._rules.stops:
            yield from map(self.feed, texts)
        else:
            yield self.feed("".join(texts))

    @property
    def due_ns(self) -> int | None:
        """When to call `expire`, None for not at all: what is held now will have waited for too long then."""
        return None if self._waiting is None else self._waiting.until_ns

    def expire(self, now_ns: int) -> str:
        """Return what takes the place of text that has waited too long by now, if any has.

        Raises AnswerBlocked where policy says that the stream is cut. What does not leave is examined all the same.
        """
        due_ns = self.due_ns
        if due_ns is None or now_ns < due_ns:
            return ""
        began = max(self._start, self._given_up_to)
        goes_on = self._given_up_to > self._start
        left = self._given_up(self._text[began:], MAX_MS, again=goes_on)
        self._given_up_to = len(self._text)
        self._note(0)
        return left

    def finish(self) -> str:
        """Return what was held, redacted; nothing more arrives. Raises AnswerBlocked as `feed` does."""
        rules, text, start = self._rules, self._text, self._start
        self._text, self._start = "", 0
        if self._until is not None or rules.idle or start == len(text):
            return ""
        found = look(rules, text, self._tally, path=self._path, start=start)
        left = self._rewritten(text, found.findings, start=start, end=len(text))
        return left if rules.changes else ""

    @property
    def _is_plain(self) -> bool:
        """Whether what is decided leaves as it is, but for findings."""
        return self._until is None and not self._given_up_to

    def _note(self, came: int) -> None:
        """Note when what is held arrived, if that matters."""
        if self._waiting is not None:
            held = 0 if self._until is not None else len(self._text) - max(self._start, self._given_up_to)
            self._waiting.note(came, held=held)

    def _quiet(self, text: str) -> int | None:
        decided = self._finder.quiet(text, self._start)
        return None if decided is None or len(text) - decided > self._limit // _MOST_BYTES else decided

    def _decided(self) -> str:
        decided = None if self._given_up_to else self._quiet(self._text)
        return self._looked() if decided is None else self._let_go(decided)

    def _let_go(self, decided: int) -> str:
        """Keep what is still to be seen, and return what was decided now."""
        text = self._text
        left = text[self._start : decided]
        kept = max(0, decided - LOOKBEHIND)
        self._text, self._start, self._next = text[kept:], decided - kept, 0
        self._given_up_to = self._given_up_to - kept if self._given_up_to > decided else 0
        return left

    def _rewritten(self, text: str, findings: Sequence[Finding], *, start: int, end: int) -> str:
        """Return `text[start:end]` redacted, without what was given up and whatever is found that reaches into it."""
        if not self._given_up_to:
            return self._rewriter.rewritten(text, findings, start=start, end=end)
        behind = self._given_up_to
        for finding in findings:
            if finding.start < behind < finding.end:
                behind = finding.end
        behind = self._given_up_to = min(behind, max(end, self._given_up_to))
        # What does not leave is remarked on as well, and may block.
        before = [each for each in findings if each.start < behind]
        self._rewriter.rewritten(text, before, start=start, end=end)
        if behind >= end:
            return ""
        return self._rewriter.rewritten(text, findings[len(before) :], start=behind, end=end)

    def _looked(self) -> str:
        """Look at all that is kept, and return what of it is decided, redacted."""
        rules, text, start = self._rules, self._text, self._start
        self._tally.judging.arrived(self._came, streamed=True)
        self._came = 0
        found = look(rules, text, self._tally, path=self._path, start=start, final=False)
        left = self._rewritten(text, found.findings, start=start, end=found.decided)
        self._let_go(found.decided)
        if found.until is not None:
            self._enter(found, len(text))
        elif len(text) - found.decided > self._limit // _MOST_BYTES:
            left += self._bounded()
        held = len(self._text) - self._start
        if self._until is None and held > _MUCH:
            self._next = len(self._text) + held // _GROWTH
        return left

    def _enter(self, found: Found, end: int) -> None:
        """Go into a finding that lasts until something has passed."""
        self._until = found.until
        self._start = len(self._text) - min(end - found.until_from, _LONGEST_MARK, len(self._text))

    def _inside(self) -> str:
        """Drop what has arrived within a finding; return what is decided of what stands behind its end."""
        until = self._until
        copy = ScanCopy.of(self._text)
        passed = until.search(copy.data, copy.byte_of(self._start)) if until is not None else None
        if passed is None:
            kept = max(0, len(self._text) - LOOKBEHIND)
            start = max(self._start, len(self._text) - _LONGEST_MARK)
            self._text, self._start = self._text[kept:], start - kept
            return ""
        self._until = None
        self._start = copy.original(passed.end() - 1, passed.end())[1]
        return self._decided()

    def _bounded(self) -> str:
        """Return what takes the place of more than policy lets wait, if it is. Raises AnswerBlocked as below."""
        held = self._text[self._start :]
        if len(held.encode("utf-8", "replace")) <= self._limit or not self._rules.changes:
            return ""
        left = self._given_up(held, MAX_BYTES, again=self._given_up_to > 0)
        self._start, self._given_up_to = len(self._text), 0
        self._until = _WHITE_SPACE
        return left

    def _given_up(self, held: str, bound: str, *, again: bool) -> str:
        """Return what takes the place of what has reached a bound, `again`: if something does not stand there already.

        Raises AnswerBlocked where that cuts the stream.
        """
        if self._rules.terms.hold.at_bound is AtBound.CUT:
            raise AnswerBlocked(policy=self._rules.terms.hold_by, rule=bound, detector=_HELD)
        done = AppliedRule(
            detector=_HELD, policy=self._rules.terms.hold_by, rule=bound, action=RedactionAction.REPLACE.value
        )
        self._tally.add(done)
        self._tally.remark(done, kind=_HELD, path=self._path, span=held)
        return "" if again else f"[redacted:{_HELD}]"


def _cut(texts: list[str], length: int) -> list[str]:
    """Return the first `length` characters of the texts, cut as they are. There are that many."""
    over = sum(map(len, texts)) - length
    while over > 0:
        last = texts.pop()
        if over < len(last):
            texts.append(last[:-over])
        over -= len(last)
    return texts
