# SPDX-License-Identifier: Apache-2.0
"""The tests of a release as requests over HTTP, so that a real proxy can be asked them.

Facts: a test that is about an answer, the clock, groups of a token, or a body it does not show cannot be sent as a
request that means the same. Such tests are told, so that nobody takes them for tried.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

from controlplane.services.gate import Trial, Trials
from policies.contracts.codec import JSON
from policies.contracts.redaction import Direction
from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, PolicySnapshot, Route
from policies.document.canaries import names_of
from policies.document.model import PolicyDocument, PolicyTest
from policies.document.tests import USUAL_TIME

_HARMLESS: Final = "Say hello."
_FEW_TOKENS: Final = 16
_PLAIN: Final = RequestFacts()
# What the facts of a request may differ in and still be written as a body.
_WRITTEN: Final = frozenset({"stream", "max_tokens", "n", "tools"})


def trials_of(documents: Sequence[PolicyDocument], snapshot: PolicySnapshot) -> Trials:
    """Return the tests with `canary: true`, all with an expected effect where there is none, as requests."""
    named = [(names_of(document), test) for document in documents for test in document.tests]
    marked = [each for each in named if each[1].canary]
    asked = [(policy, test) for policy, test in marked or named if test.expect.effect is not None]
    sendable, unsendable = [], []
    for policy, test in asked:
        trial = _trial(policy, test, snapshot.routes)
        if trial is None:
            unsendable.append(f"{policy}: {test.name}")
        else:
            sendable.append(trial)
    return Trials(sendable=tuple(sendable), unsendable=tuple(unsendable))


def _trial(policy: str, test: PolicyTest, routes: Iterable[Route]) -> Trial | None:
    asked, effect = test.request, test.expect.effect
    if effect is None or asked.subject.groups or not _is_writable(asked.facts) or asked.at != USUAL_TIME:
        return None
    if test.calls or (test.text is not None and test.text.direction is not Direction.REQUEST):
        return None
    text = _HARMLESS if test.text is None else test.text.text
    for route in routes:
        if route.operation == asked.operation and not route.path.count("{"):
            body = _body(route.dialect, asked.model, asked.facts, text)
            if body is not None or route.dialect is Dialect.MODELS:
                return Trial(
                    policy=policy,
                    name=test.name,
                    subject=asked.subject,
                    operation=asked.operation,
                    model=asked.model,
                    method=route.method,
                    path=route.path,
                    body=body,
                    effect=effect,
                )
    return None


def _is_writable(facts: RequestFacts) -> bool:
    plain, given = _PLAIN.to_json(), facts.to_json()
    return all(given[name] == value for name, value in plain.items() if name not in _WRITTEN)


def _body(dialect: Dialect, model: str | None, facts: RequestFacts, text: str) -> Mapping[str, JSON] | None:
    """Return a body of `dialect` that asks for little; None where there is none, or it would not be JSON."""
    if model is None:
        return None
    body: dict[str, JSON] = {"model": model}
    match dialect:
        case Dialect.CHAT:
            body["messages"] = [{"role": "user", "content": text}]
        case Dialect.COMPLETIONS:
            body["prompt"] = text
        case Dialect.RESPONSES | Dialect.EMBEDDINGS:
            body["input"] = text
        case Dialect.TRANSCRIPTIONS | Dialect.MODELS:
            return None
        case _:
            assert_never(dialect)
    if dialect is not Dialect.EMBEDDINGS:
        body["max_output_tokens" if dialect is Dialect.RESPONSES else "max_tokens"] = facts.max_tokens or _FEW_TOKENS
        body |= {"stream": True} if facts.stream else {}
        body |= {"n": facts.n} if facts.n != _PLAIN.n else {}
    if facts.tools:
        if dialect is not Dialect.CHAT:
            return None
        body["tools"] = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in facts.tools]
    return body
