# SPDX-License-Identifier: Apache-2.0
"""Why a decision came out as it did: sentences for people, and the members they are made of for machines.

Rules: everything is read from the record; of the policies only where in their source a rule stands. `explain` is total:
what a record of another release leaves out is left out of the explanation. It tells no text of prompts or answers,
because a record has none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.services.dimensions import text
from policies.contracts.reasons import REASONS

_NOT_SCANNED: Final = {
    "no-rule": "no rule is for requests",
    "decided-on": "it must stay what was decided on",
    "image": "no detector reads images",
    "audio": "no detector reads audio",
    "vector": "no detector reads vectors",
    "dropped": "it did not leave",
    "over-budget": "more was encoded in it, or more had to be judged, than policy has decoded",
}
_ENDS: Final = {
    ("allow", "forwarded"): "was allowed and forwarded unchanged",
    ("allow", "redacted"): "was allowed, and what policy forbids was taken out",
    ("allow", "cut"): "was allowed, and its answer was cut off",
    ("allow", None): "was allowed; its answer has not ended yet",
}
_OUTCOMES: Final = {
    "allow": "was allowed",
    "deny": "was denied",
    "error_deny": "was refused because something failed or could not be read",
}
_MOST_NAMED: Final = 32
_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """Where a rule stands: a line of the policy's source, as it was at the revision that decided."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of the policies that decided, by policy: revision, file and text; empty where they are not stored."""

    release: str | None = None
    policies: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)

    def line_of(self, policy: str | None, names: Sequence[str | None]) -> SourceLine | None:
        """Return the first line of the policy that names one of `names`, in their order."""
        if policy is None or policy not in self.policies:
            return None
        _, file, source = self.policies[policy]
        lines = source.splitlines()
        for name in filter(None, names):
            named = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            # The line that gives a rule its id, before one that only speaks of it.
            for pattern in (re.compile(rf"\bid:\s*[\"']?{re.escape(name)}[\"']?\s*(?:[,}}#]|$)"), named):
                for number, line in enumerate(lines, start=1):
                    if pattern.search(line):
                        return SourceLine(file=file, line=number, text=line.strip()[:200])
        return None


def explain(envelope: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """Return the explanation of the record that describes a decision."""
    reasons = [_reason(reason, sources) for reason in _listed(envelope, "reasons")]
    engines = [_engine(engine, sources) for engine in _listed(envelope, "engines")]
    coverage = _members(envelope, "coverage")
    scanned = [
        {"paths": list(by.get("paths") or []), "rules": list(by.get("rules") or [])} for by in _listed(coverage, "by")
    ]
    if not scanned and coverage.get("scanned"):
        scanned = [{"paths": list(coverage["scanned"]), "rules": []}]
    not_scanned = [
        {"path": item.get("path"), "reason": item.get("reason"), "why": _why(text(item.get("reason")))}
        for item in _listed(coverage, "not_scanned")
    ]
    redacted = [
        {name: remark.get(name) for name in ("policy", "rule", "detector", "kind", "action", "path", "length")}
        | {"span": remark.get("span_hash")}
        for remark in _listed(envelope, "remarks")
    ]
    found: dict[str, Any] = {
        "outcome": envelope.get("outcome"),
        "verdict": envelope.get("verdict"),
        "would_have": envelope.get("would_have"),
        "revision": envelope.get("revision"),
        "serial": envelope.get("serial"),
        "release": sources.release,
        "decided_by": reasons or [answer for engine in engines for answer in engine["answers"] if answer["decided"]],
        "engines": engines,
        "scanned": scanned,
        "not_scanned": not_scanned,
        "redacted": redacted,
        "redacted_omitted": envelope.get("remarks_omitted") or 0,
        "obligations": _listed(envelope, "obligations"),
        "timing_ms": _timing(envelope),
    }
    return found | {"sentences": list(_sentences(envelope, found))}


def _reason(reason: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    code, policy, rule = (text(reason.get(name)) for name in ("code", "policy", "rule"))
    spec = REASONS.get(code or "")
    return {
        "code": code,
        "title": None if spec is None else spec.message,
        **_place(policy, rule, (rule, code), sources),
    }


def _place(policy: str | None, rule: str | None, names: Sequence[str | None], sources: Sources) -> dict[str, Any]:
    line = sources.line_of(policy, names)
    return {
        "policy": policy,
        "rule": rule,
        "policy_revision": sources.policies[policy][0] if policy and policy in sources.policies else None,
        "source": None if line is None else {"file": line.file, "line": line.line, "text": line.text},
    }


def _engine(engine: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    return {
        "engine": engine.get("engine"),
        "reused": bool(engine.get("reused")),
        "duration_ms": _ms(engine.get("duration_us")),
        "omitted": engine.get("omitted") or 0,
        "answers": [
            {
                "mode": answer.get("mode"),
                "outcome": answer.get("outcome"),
                "decided": answer.get("mode") == "enforce" and answer.get("outcome") != "not_applicable",
                "reasons": [_reason(reason, sources) for reason in _listed(answer, "reasons")],
                **_place(text(answer.get("policy")), None, (text(answer.get("policy")),), sources),
            }
            for answer in _listed(engine, "answers")
        ],
    }


def _timing(envelope: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _ms(us) for name, us in _members(envelope, "latency_us").items()}


def _sentences(envelope: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    yield _what_happened(envelope)
    yield from _why_so(found)
    for engine in found["engines"]:
        said = [f"{answer['policy'] or 'the engine'} {answer['outcome']}" for answer in engine["answers"]]
        again = " (an answer it gave before to the same)" if engine["reused"] else ""
        yield f"{engine['engine']} said: {_named(said) or 'nothing applies'}{again}."
    if found["would_have"]:
        yield f"Policies that do not enforce yet would have made it {found['would_have']}."
    yield from _what_was_read(found)
    for obligation in found["obligations"]:
        yield f"Obligation {obligation.get('type')} of {obligation.get('policy')}: {obligation.get('status')}."
    timing = found["timing_ms"]
    if timing.get("total") is not None:
        parts = [f"{name} {ms} ms" for name, ms in timing.items() if name != "total" and ms is not None]
        yield f"It took {timing['total']} ms" + (f", of that {_named(parts)}." if parts else ".")


def _what_was_read(found: Mapping[str, Any]) -> Iterable[str]:
    for remark in found["redacted"]:
        rule = f"{remark['policy']}/{remark['rule']}"
        yield f"{rule} found {remark['kind']} ({remark['detector']}) in {remark['path']}: {remark['action']}."
    if found["redacted_omitted"]:
        yield f"{found['redacted_omitted']} further findings are counted in the record and not told one by one."
    for scanned in found["scanned"]:
        by = f", by {_named(scanned['rules'])}" if scanned["rules"] else ""
        yield f"Scanned: {_named(scanned['paths'])}{by}."
    for left in found["not_scanned"]:
        yield f"Not scanned: {left['path']}, because {left['why']}."


def _what_happened(envelope: Mapping[str, Any]) -> str:
    outcome, verdict = text(envelope.get("outcome")), text(envelope.get("verdict"))
    if envelope.get("kind") == "opa":
        return _what_an_opa_said(envelope, outcome)
    asked = envelope.get("kind") == "evaluation"
    end = None if asked else _ENDS.get((outcome or "", verdict))
    end = end or _OUTCOMES.get(outcome or "", "has a record without outcome")
    model = _members(envelope, "resource").get("id")
    action = envelope.get("action") or "The request"
    revision, serial = envelope.get("revision"), envelope.get("serial")
    decided = f" Revision {revision}, serial {serial}, decided." if revision else " No policy was asked."
    whose = "Another enforcement point asked. " if asked else ""
    return f"{whose}{action}{f' of model {model}' if model else ''} {end}.{decided}"


def _what_an_opa_said(envelope: Mapping[str, Any], outcome: str | None) -> str:
    end = _OUTCOMES.get(outcome or "")
    said = f"It {end}" if end else "Its result is neither allow nor deny"
    place = text(envelope.get("path")) or "a query of its own"
    revision, serial = envelope.get("revision"), envelope.get("serial")
    had = (
        f"it had revision {revision}, serial {serial}" if revision else "the policies of Gatehouse had no part in that"
    )
    return f"An OPA beside Gatehouse decided on {place}. {said}; {had}."


def _why_so(found: Mapping[str, Any]) -> Iterable[str]:
    for reason in found["decided_by"]:
        if "code" not in reason:
            yield f"Policy {reason['policy']} answered {reason['outcome']}{_at(reason)}."
            continue
        whose = f" by rule {reason['rule']} of policy {reason['policy']}" if reason["rule"] else ""
        whose = whose or (f" by policy {reason['policy']}" if reason["policy"] else " by the gateway itself")
        title = f": {reason['title']}" if reason["title"] else "."
        yield f"{reason['code']}{whose}{_at(reason)}{title}"


def _at(reason: Mapping[str, Any]) -> str:
    source = reason["source"]
    return f" ({source['file']}, line {source['line']})" if source else ""


def _why(reason: str | None) -> str:
    if reason and reason.startswith("no-rule-for-"):
        return f"no rule selects texts of the class {reason.removeprefix('no-rule-for-')}"
    return _NOT_SCANNED.get(reason or "", reason or "the record does not say")


def _named(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, names[:_MOST_NAMED]))
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def _members(envelope: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = envelope.get(name)
    return found if isinstance(found, dict) else {}


def _listed(members: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = members.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _ms(us: Any) -> float | None:
    return round(us / _MS, 3) if type(us) is int else None
