# SPDX-License-Identifier: Apache-2.0
"""The compiled policy: what the proxy and its engines work from. Immutable; `revision` names its content.

The compiler makes it, the bundle carries it as `snapshot.json` (`docs/spec/bundle.md`), the proxy reads it back.
`to_json` and `from_json` are inverse; `from_json` refuses unknown members, since a member an older proxy does not know
may be one that forbids something. A member that came after the schema's first form is left out where it has its
default, so that what was compiled before keeps its bytes and its revision.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Self

from policies.contracts.canaries import Canary
from policies.contracts.codec import JSON, canonical_bytes, digest
from policies.contracts.decision import Effect, Mode
from policies.contracts.identity import IdentityPolicy
from policies.contracts.members import ADDED, members, plain
from policies.contracts.prompts import PromptsPolicy
from policies.contracts.recording import LoggingPolicy
from policies.contracts.redaction import (
    SEVERITY,
    AtBound,
    CustomDetector,
    CustomPattern,
    Decoding,
    Direction,
    EmbeddingInputs,
    FieldClass,
    HoldBounds,
    LiteralList,
    LogProbabilities,
    OverBudget,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    Strictness,
)
from policies.contracts.routes import Dialect, Encoding, Modality, Route, UnknownFields
from policies.contracts.screening import ScreeningPolicy
from policies.contracts.tools import OnRefusal, ToolsPolicy
from policies.contracts.upstreams import UpstreamsPolicy

__all__ = [
    "SCHEMA",
    "SEVERITY",
    "AccessPolicy",
    "AtBound",
    "CustomDetector",
    "CustomPattern",
    "Decoding",
    "Dialect",
    "Direction",
    "EmbeddingInputs",
    "Encoding",
    "FieldClass",
    "Grant",
    "GuardPolicy",
    "HoldBounds",
    "LimitPolicy",
    "LiteralList",
    "LogProbabilities",
    "Modality",
    "OverBudget",
    "PolicySnapshot",
    "Rate",
    "RedactionAction",
    "RedactionPolicy",
    "RedactionRule",
    "Route",
    "Strictness",
    "UnknownFields",
]

SCHEMA: Final = "gatehouse.snapshot/1"

_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One row of the access matrix.

    `subjects` are `user:…`, `service:…`, `group:…` or `*`. `models` are exact ids or `*`; empty means that the grant
    is for operations that name no model. `operations` are exact or `*`. From `expires` on, a time in UTC such
    as `2026-12-01T00:00:00Z`, there is no such grant.
    """

    id: str
    effect: Effect
    subjects: tuple[str, ...]
    models: tuple[str, ...]
    operations: tuple[str, ...]
    expires: str | None = field(default=None, metadata=ADDED)

    @property
    def ends_at(self) -> datetime | None:
        """From when on there is no such grant; None where it has no end."""
        return None if self.expires is None else datetime.fromisoformat(self.expires)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    id: str
    version: str
    mode: Mode
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """A Rego module of package `gatehouse.guard.<name>`; `name` is the id with `-` as `_`.

    Its `data` stands at `data.gatehouse.guard_data.<name>`. `reasons` maps each code it may give to its message.
    `reads` has the fields of `input` (`request.max_tokens`) that its answer depends on, so that an answer may be reused
    where they are equal; None: never reuse it. `calls` says what becomes of a tool call that its `deny_call` denies;
    None: it has none, and is not asked about answers.
    """

    id: str
    version: str
    mode: Mode
    module: str
    data: Mapping[str, JSON]
    reasons: Mapping[str, str]
    reads: tuple[str, ...] | None = field(default=None, metadata=ADDED)
    calls: OnRefusal | None = field(default=None, metadata=ADDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `requests` in `per_s` seconds for each subject, with bursts up to `requests` (token bucket)."""

    requests: int
    per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """`subjects` as in Grant. None means that this policy does not limit that measure."""

    id: str
    version: str
    mode: Mode
    subjects: tuple[str, ...]
    max_body_bytes: int | None
    rate: Rate | None


@dataclass(frozen=True, kw_only=True)
class PolicySnapshot:
    """Everything one environment of one tenant enforces. `groups` maps a group's name to its members' ids."""

    tenant: str
    environment: str
    groups: Mapping[str, tuple[str, ...]]
    access: tuple[AccessPolicy, ...] = ()
    guards: tuple[GuardPolicy, ...] = ()
    routes: tuple[Route, ...] = ()
    limits: tuple[LimitPolicy, ...] = ()
    redactions: tuple[RedactionPolicy, ...] = ()
    identity: tuple[IdentityPolicy, ...] = field(default=(), metadata=ADDED)
    tools: tuple[ToolsPolicy, ...] = field(default=(), metadata=ADDED)
    logging: tuple[LoggingPolicy, ...] = field(default=(), metadata=ADDED)
    canaries: tuple[Canary, ...] = field(default=(), metadata=ADDED)
    prompts: tuple[PromptsPolicy, ...] = field(default=(), metadata=ADDED)
    screening: tuple[ScreeningPolicy, ...] = field(default=(), metadata=ADDED)
    upstreams: tuple[UpstreamsPolicy, ...] = field(default=(), metadata=ADDED)

    @cached_property
    def revision(self) -> str:
        """`sha256:` and the digest of the canonical form."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, JSON]:
        return {"schema": SCHEMA, **plain(self)}

    @classmethod
    def from_canonical(cls, raw: bytes) -> Self:
        """Read the canonical form of what `to_json` gave. Raises ValueError as `from_json`, and for any other form."""
        snapshot = cls.from_json(json.loads(raw))
        if canonical_bytes(snapshot.to_json()) != raw:
            msg = "the snapshot is not in its canonical form"
            raise ValueError(msg)
        # What `revision` would compute once more, which takes a second where there are 100,000 grants.
        vars(snapshot)["revision"] = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        return snapshot

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave. Raises ValueError for another schema, an unknown or missing member, a bad value."""
        if raw.get("schema") != SCHEMA:
            msg = f"the snapshot's schema is {raw.get('schema')!r}, not {SCHEMA!r}"
            raise ValueError(msg)
        given = members(cls, {key: value for key, value in raw.items() if key != "schema"})
        return cls(
            tenant=given["tenant"],
            environment=given["environment"],
            groups={name: tuple(ids) for name, ids in given["groups"].items()},
            access=tuple(
                AccessPolicy(
                    **members(AccessPolicy, policy)
                    | {
                        "mode": Mode(policy["mode"]),
                        "grants": tuple(
                            Grant(**members(Grant, grant) | {"effect": Effect(grant["effect"])})
                            for grant in policy["grants"]
                        ),
                    },
                )
                for policy in given["access"]
            ),
            guards=tuple(map(_guard, given["guards"])),
            routes=tuple(map(Route.from_json, given["routes"])),
            limits=tuple(
                LimitPolicy(
                    **members(LimitPolicy, limit)
                    | {
                        "mode": Mode(limit["mode"]),
                        "rate": None if limit["rate"] is None else Rate(**members(Rate, limit["rate"])),
                    },
                )
                for limit in given["limits"]
            ),
            redactions=tuple(map(RedactionPolicy.from_json, given["redactions"])),
            identity=tuple(map(IdentityPolicy.from_json, given.get("identity", ()))),
            tools=tuple(map(ToolsPolicy.from_json, given.get("tools", ()))),
            logging=tuple(map(LoggingPolicy.from_json, given.get("logging", ()))),
            prompts=tuple(map(PromptsPolicy.from_json, given.get("prompts", ()))),
            screening=tuple(map(ScreeningPolicy.from_json, given.get("screening", ()))),
            upstreams=tuple(map(UpstreamsPolicy.from_json, given.get("upstreams", ()))),
            canaries=tuple(map(Canary.from_json, given.get("canaries", ()))),
        )


def _guard(raw: Mapping[str, Any]) -> GuardPolicy:
    calls = raw.get("calls")
    parsed = {"mode": Mode(raw["mode"]), "calls": None if calls is None else OnRefusal(calls)}
    guard = GuardPolicy(**members(GuardPolicy, raw) | parsed)
    reads = guard.reads
    if reads is not None and not (
        isinstance(reads, tuple) and all(isinstance(path, str) and _PATH.fullmatch(path) for path in reads)
    ):
        msg = f"the guard {guard.id} reads what is no list of fields"
        raise ValueError(msg)
    return guard
