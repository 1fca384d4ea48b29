# SPDX-License-Identifier: Apache-2.0
"""What the decision point answers, from one policy's answer up to the decision.

Theory: every policy answers allow, deny, not_applicable or error. `combine` unites the answers of one request into one
Decision. A Decision refuses to be a boolean: `if decision:` would drop reasons and obligations, so it raises.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Never, TypeAlias


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


class Outcome(StrEnum):
    """What one policy answers. ERROR is a refusal; NOT_APPLICABLE is neutral."""

    ALLOW = "allow"
    DENY = "deny"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


class Mode(StrEnum):
    """ENFORCE decides. WARN and OBSERVE are evaluated and recorded and change nothing; WARN adds a response header."""

    ENFORCE = "enforce"
    WARN = "warn"
    OBSERVE = "observe"


class Verdict(StrEnum):
    """What happened on the wire."""

    FORWARDED = "forwarded"
    REDACTED = "redacted"
    BLOCKED = "blocked"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why. `code` is public; `policy` and `rule` name the origin and go into the record, not to the client."""

    code: str
    policy: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redact:
    """Obligation: apply the rules of the redaction policy named `policy` to the answer."""

    policy: str


Obligation: TypeAlias = Redact


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAnswer:
    """What one policy said about one request. `error` is free of content, set only where outcome is ERROR."""

    policy: str
    mode: Mode
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswer:
    """What one engine said: the answers of all its policies. `engine` is `casbin`, `opa`, `rego-embedded` or `limits`.

    `provenance` is the manifest revision the engine decided by, where it is a process of its own; empty otherwise.
    `reused` says that it gave this answer to an earlier request that is the same in all that its policies read.
    `neutral` counts policies that are not listed, because none of their rules applies.
    """

    engine: str
    answers: tuple[PolicyAnswer, ...]
    neutral: int = 0
    duration_us: int = 0
    provenance: str = ""
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Effect, reasons and obligations of one request, the one revision that made it, and every engine's answer.

    `would_have` is the effect had WARN and OBSERVE policies been enforced too; None where it is the same.
    `retry_after_s` is set for `rate-limited` only.
    """

    effect: Effect
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...]
    revision: str
    engines: tuple[EngineAnswer, ...] = ()
    would_have: Effect | None = None
    warnings: tuple[Reason, ...] = field(default=())
    retry_after_s: int | None = None

    def __bool__(self) -> Never:
        msg = "a Decision is not a boolean; compare decision.effect with Effect.ALLOW"
        raise TypeError(msg)
