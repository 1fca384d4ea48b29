# SPDX-License-Identifier: Apache-2.0
"""What redaction reports: how often which rule found what. Never the text."""

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.redaction.pseudonyms import Pseudonyms
from policies.scanning.budget import Judging

# A text full of findings leaves a record of ordinary size; what the others were is in the counts.
MAX_REMARKS: Final = 32
# Beyond as many different values none has a number of its own: the bound is on what one exchange makes us remember.
_MAX_NUMBERS: Final = 4_096
_MAX_UNSCANNED: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AppliedRule:
    """One rule for one detector. `action` is the rule's, or the policy's mode `warn` or `observe`."""

    detector: str
    policy: str
    rule: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCount:
    """`count` findings of one detector, by the rule that looked for them."""

    detector: str
    policy: str
    rule: str
    action: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What one redaction leaves behind: whose rule found what kind of thing where, and never the thing.

    `path` is the field's; `length` counts code points of the original span, `span_hash` is its keyed hash.
    """

    policy: str
    rule: str
    detector: str
    kind: str
    action: str
    path: str
    length: int
    span_hash: str


_Said = TypeVar("_Said", AppliedRule, Remark)


class AnswerBlocked(Exception):
    """A finding that a rule blocks. Nothing of the answer that has not left yet may leave."""

    def __init__(self, *, policy: str, rule: str, detector: str) -> None:
        super().__init__(f"rule {rule!r} of policy {policy!r} blocks answers with a finding of {detector}")
        self.policy = policy
        self.rule = rule
        self.detector = detector


class Tally:
    """Counts findings, for one request and its answer: all of their fields add to the same tally.

    `judging` is what may still be judged of all that adds to it. `unscanned` has the paths of texts that were not
    wholly examined, each with the reason.

    `pseudonyms` are those of the exchange, None where none may be given. `hashed` gives the keyed hash of a span;
    without it remarks have none. `clock` tells for how long text of a stream is held. Of
    each finding there is a remark, up to MAX_REMARKS; `omitted` counts the others.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms | None = None,
        *,
        hashed: Callable[[str], str] = lambda _span: "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.pseudonyms = pseudonyms
        self.remarks: list[Remark] = []
        self.omitted = 0
        self._hashed = hashed
        self._counts: Counter[AppliedRule] = Counter()
        self._findings: tuple[FindingCount, ...] | None = ()  # None: to be counted out again
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._last: Counter[str] = Counter()
        self._salt = secrets.token_bytes(16)
        self.total = 0
        self.judging = Judging()
        self.clock = clock
        self.unscanned: dict[str, str] = {}

    def number(self, detector: str, value: str) -> int | None:
        """Return which of the different values of a detector this is, counted from 1; None for one too many."""
        digest = hashlib.blake2b(value.encode("utf-8", "replace"), key=self._salt, digest_size=16).digest()
        known = self._numbers.get((detector, digest))
        if known is None and len(self._numbers) < _MAX_NUMBERS:
            self._last[detector] += 1
            known = self._numbers[detector, digest] = self._last[detector]
        return known

    def add(self, rule: AppliedRule) -> None:
        self._counts[rule] += 1
        self._findings = None
        self.total += 1

    def remark(self, rule: AppliedRule, *, kind: str, path: str, span: str) -> None:
        """Leave a remark on a finding, which is `span` of the text at `path`. Of the span its hash is kept."""
        if len(self.remarks) >= MAX_REMARKS:
            self.omitted += 1
            return
        self.remarks.append(
            Remark(
                policy=rule.policy,
                rule=rule.rule,
                detector=rule.detector,
                kind=kind,
                action=rule.action,
                path=path,
                length=len(span),
                span_hash=self._hashed(span),
            )
        )

    def apart(self) -> "Tally":
        """Return one that counts by itself, within what this one may still judge."""
        apart = Tally()
        apart.judging, apart.unscanned = self.judging, self.unscanned
        return apart

    def not_scanned(self, path: str, reason: str) -> None:
        """Say that the text at `path` was not wholly examined."""
        if len(self.unscanned) < _MAX_UNSCANNED:
            self.unscanned.setdefault(path, reason)

    def forget(self) -> None:
        """Forget the values behind placeholders and their numbers: the exchange is over. Its counts stay."""
        if self.pseudonyms is not None:
            self.pseudonyms.forget()
        self.pseudonyms = None
        self._numbers.clear()

    def annotate(self) -> None:
        """Say of all that rules would have changed that it was left as it is, and only noted."""
        self._counts = Counter({_annotating(rule): count for rule, count in self._counts.items()})
        self.remarks = [_annotating(remark) for remark in self.remarks]
        self._findings = None

    @property
    def findings(self) -> tuple[FindingCount, ...]:
        """The counts, in the order of detector, policy and rule."""
        if self._findings is None:
            self._findings = tuple(
                FindingCount(
                    detector=rule.detector, policy=rule.policy, rule=rule.rule, action=rule.action, count=count
                )
                for rule, count in sorted(self._counts.items())
            )
        return self._findings


def _annotating(said: _Said) -> _Said:
    return said if said.action in set(Mode) else replace(said, action=str(RedactionAction.ANNOTATE))
