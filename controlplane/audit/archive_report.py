# SPDX-License-Identifier: Apache-2.0
"""What a verifier has to say of an archive, as values and as JSON."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from controlplane.audit.archive_reading import Manifest
from controlplane.audit.completeness import CompletenessReport

PROBLEMS_NAMED: Final = 20


class Judgement(StrEnum):
    """UNJUDGED: something kept the verifier from a verdict, and it is neither."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `index` is the entry that it is about, None where it is about no single one."""

    index: int | None
    text: str


@dataclass(slots=True)
class Problems:
    """All of them counted, the first of them kept."""

    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, text: str, index: int | None = None) -> None:
        self.count += 1
        if len(self.first) < PROBLEMS_NAMED:
            self.first.append(Problem(index, text))


@dataclass(slots=True, kw_only=True)
class ArchiveReport:
    """The two verdicts and what they rest on. `trust` says whose keys: `given`, or those of the `archive` itself."""

    manifest: Manifest
    trust: str
    signed_at_s: int | None = None
    log_keys: list[str] = field(default_factory=list)
    witnesses: list[str] = field(default_factory=list)
    checkpoints: int = 0
    entries: int = 0
    dropped: int = 0
    altered: int = 0
    integrity: Problems = field(default_factory=Problems)
    incomplete: Problems = field(default_factory=Problems)
    completeness: CompletenessReport

    @property
    def integrity_verdict(self) -> Judgement:
        return Judgement.VIOLATED if self.integrity.count else Judgement.HOLDS

    @property
    def completeness_verdict(self) -> Judgement:
        if self.incomplete.count or not self.completeness.holds:
            return Judgement.VIOLATED
        return Judgement.UNJUDGED if self.completeness.unjudged else Judgement.HOLDS

    @property
    def exit_code(self) -> int:
        """0 where both hold, 1 where one is violated, 2 where one cannot be judged."""
        both = {self.integrity_verdict, self.completeness_verdict}
        return 1 if Judgement.VIOLATED in both else 2 if Judgement.UNJUDGED in both else 0

    def to_json(self) -> dict[str, Any]:
        """Return the report for scripts: every boot, the first problems of each kind."""
        boots = self.completeness.boots
        return {
            "archive": {name: getattr(self.manifest, name) for name in ("tenant", "origin", "first", "end", "size")},
            "integrity": {
                "verdict": self.integrity_verdict,
                "trust": self.trust,
                "log_keys": self.log_keys,
                "witnesses": self.witnesses,
                "signed_at_s": self.signed_at_s,
                "checkpoint_count": self.checkpoints,
                "entry_count": self.entries,
                "dropped_count": self.dropped,
                "altered_count": self.altered,
                "problem_count": self.integrity.count,
                "problems": [asdict(problem) for problem in self.integrity.first],
            },
            "completeness": {
                "verdict": self.completeness_verdict,
                "unjudged": self.completeness.unjudged or None,
                "boot_count": len(boots),
                "lost_count": sum(boot.lost for boot in boots),
                "missing_count": sum(boot.missing for boot in boots),
                "unfinished_count": sum(boot.unfinished for boot in boots),
                "in_flight_count": sum(boot.in_flight for boot in boots),
                "unreadable_count": self.completeness.unreadable,
                "unrecorded_drop_count": self.completeness.unrecorded_drops,
                "beyond_drops_count": self.completeness.beyond_drops,
                "problem_count": self.incomplete.count,
                "problems": [asdict(problem) for problem in self.incomplete.first],
                "boots": [asdict(boot) for boot in boots],
            },
        }
