# SPDX-License-Identifier: Apache-2.0
"""What a record says of a request about which a prompt screen was asked. Never a character of its texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from policies.contracts.asked_screen import ScoredWindow, ScreenScore
from policies.contracts.codec import JSON

ANSWERED: Final = "answered"
PARTIAL: Final = "incomplete"
ABSENT: Final = "absent"
# Where a finding is of what several texts say together, in place of a class of fields.
JOINED: Final = "joined"
# The highest of each finding: where to look, in an envelope that has to hold much else.
_MOST_WINDOWS: Final = 3
_MOST_FINDINGS: Final = 32
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenFinding:
    """One rule found one text. `action` is the rule's effect, or the mode of a policy that does not enforce."""

    policy: str
    rule: str
    action: str
    field: str
    path: str
    score_percent: int
    windows: tuple[ScoredWindow, ...] = ()

    @classmethod
    def of(cls, policy: str, rule: str, action: str, scored: ScreenScore, *, field: str, path: str) -> Self:
        windows = sorted(scored.windows, key=lambda each: -each.score)[:_MOST_WINDOWS]
        return cls(
            policy=policy,
            rule=rule,
            action=action,
            field=field,
            path=path,
            score_percent=_percent(scored.score),
            windows=tuple(windows),
        )

    def to_json(self, most: int | None) -> dict[str, JSON]:
        return {
            "policy": self.policy,
            "rule": self.rule,
            "action": self.action,
            "field": self.field,
            "path": self.path,
            "score_percent": self.score_percent,
            "windows": [
                {"start": each.start, "end": each.end, "view": each.view, "score_percent": _percent(each.score)}
                for each in self.windows[:most]
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenReport:
    """`outcome` is the worst that a question came to; `why` a word for what kept the screen from answering."""

    outcome: str
    why: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[ScreenFinding, ...] = ()

    def to_json(self, most: int | None) -> dict[str, JSON]:
        told = self.findings[: _MOST_FINDINGS if most is None else most]
        return {
            "outcome": self.outcome,
            "why": self.why or None,
            "versions": dict(self.versions),
            # Abridged, a finding keeps its score and loses its places.
            "findings": [each.to_json(None if most is None else 0) for each in told],
            "omitted": len(self.findings) - len(told),
        }


def _percent(score: float) -> int:
    return round(score * _PERCENT)
