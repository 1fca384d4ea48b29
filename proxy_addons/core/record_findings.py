# SPDX-License-Identifier: Apache-2.0
"""What a decision record says of where rules looked and what they found there. Never the text."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.record import RecordKind
from policies.evaluation import classifier
from policies.evaluation.screening import ENGINE
from proxy_addons.core.exchange import AppliedFinding, Exchange

MAX_COVERED: Final = 32


def remarked(exchange: Exchange, most: int | None) -> dict[str, JSON]:
    """Return the remarks on what was found, and how many are left out, here or where it was found."""
    remarks = () if exchange.tally is None else exchange.tally.remarks[:most]
    found = 0 if exchange.tally is None else len(exchange.tally.remarks) + exchange.tally.omitted
    return {
        "remarks": [
            {
                "policy": each.policy,
                "rule": each.rule,
                "detector": each.detector,
                "kind": each.kind,
                "action": each.action,
                "path": each.path,
                "length": each.length,
                "span_hash": each.span_hash,
            }
            for each in remarks
        ],
        "remarks_omitted": found - len(remarks),
    }


def reached(exchange: Exchange) -> dict[str, JSON]:
    """Return where the request went, unless to the default upstream, and which weights answered, where it said so."""
    named: dict[str, JSON] = {} if exchange.upstream is None else {"upstream": exchange.upstream}
    return named if exchange.model_digest is None else named | {"model_digest": exchange.model_digest}


def findings_of(exchange: Exchange) -> tuple[AppliedFinding, ...]:
    """Return what screening found in the request, and what rules for texts and tool calls found."""
    if not exchange.screened and exchange.screen is None:
        return exchange.findings
    screened = (
        AppliedFinding(detector=ENGINE, policy=each.policy, rule=each.rule, action=each.action, count=each.count)
        for each in exchange.screened
    )
    return (*screened, *_scored(exchange), *exchange.findings)


def _scored(exchange: Exchange) -> Iterator[AppliedFinding]:
    """Give what classifier rules found: how many texts, by rule."""
    findings = () if exchange.screen is None else exchange.screen.findings
    for (policy, rule, action), count in Counter((each.policy, each.rule, each.action) for each in findings).items():
        yield AppliedFinding(detector=classifier.ENGINE, policy=policy, rule=rule, action=action, count=count)


def screened(exchange: Exchange, most: int | None) -> dict[str, JSON]:
    """Return the member `screen` of the envelope, where a prompt screen was asked."""
    return {} if exchange.screen is None else {"screen": exchange.screen.to_json(most)}


def prompted(exchange: Exchange) -> dict[str, JSON]:
    """Return the member `system_prompt` of the envelope, where policy had one approved: its name and digest."""
    used = exchange.system_prompt
    if used is None:
        return {}
    return {
        "system_prompt": {
            "policy": used.policy,
            "rule": used.rule,
            "prompt": used.prompt.name,
            "digest": used.prompt.digest,
            "inserted": used.inserted,
        }
    }


def called(exchange: Exchange, most: int) -> dict[str, JSON]:
    """Return the member for refused tool calls, at most `most` of them; none where there are none."""
    told = [
        {
            "name": call.name,
            "code": call.reason.code,
            "policy": call.reason.policy,
            "rule": call.reason.rule,
            "action": call.action,
        }
        for call in exchange.refused_calls[:most]
    ]
    return {"tool_calls": told} if told else {}


def covered(exchange: Exchange, most: int) -> dict[str, JSON]:
    """Return which fields were scanned and which were not, at most `most` of each."""
    of_request, of_answer = exchange.request_coverage, exchange.coverage
    missing = {(f"request.{path}", why): None for path, why in exchange.uncovered}
    missing |= {(_folded(path), why): None for path, why in (*of_request.not_scanned, *of_answer.not_scanned)}
    return {
        "stripped": exchange.stripped_fields,
        "scanned": _paths((*of_request.scanned, *of_answer.scanned), most),
        "not_scanned": [{"path": path, "reason": why} for path, why in list(missing)[:most]],
        "by": [
            {"rules": list(rules[:most]), "paths": _paths(paths, most)}
            for rules, paths in (*of_request.by, *of_answer.by)[:most]
        ],
    }


def _paths(paths: Iterable[str], most: int) -> list[str]:
    return list(dict.fromkeys(map(_folded, paths)))[:most]


def _folded(path: str) -> str:
    """Return `path` with its array indices as `*`: an answer of a thousand choices names its fields once."""
    return ".".join("*" if step.isdigit() else step for step in path.split("."))


def judged_beside(exchange: Exchange, kind: RecordKind, most: int | None) -> dict[str, JSON]:
    """Return the member `candidate` of the envelope, where one judged the request: at its end it is known."""
    judged = None if exchange.beside is None or kind is RecordKind.ADMISSION else exchange.beside.judged
    return {} if judged is None else {"candidate": judged.to_json(most)}
