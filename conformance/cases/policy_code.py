# SPDX-License-Identifier: Apache-2.0
"""Case 70: policies that reach outside, never end, or take longer the more a caller writes."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from conformance.case import Case
from conformance.cases.making import ROUTES
from conformance.scratch import Check, Scratch, Wrong, codes_in, expect

# What the check of a guard says of code, by OPA or by the embedded engine.
_NAMES_CODE: Final = frozenset({"rego-refused", "builtin-forbidden", "foreign-data", "rego-unsafe-var-error"})
# By which an engine's own deadline and its start are over on any machine: a row that hangs is told all the same.
_ENDS_WITHIN_S: Final = 30
# An engine that goes back over a text takes longer than the universe for these; a linear one a blink for each.
_LONG_TEXT: Final = "a" * 60_000 + "!"
_BACKTRACKS: Final = {
    "repeated repeats": "(?:a+)+b",
    "ways that agree": "(?:a|a)*b",
    "any before any": "a*a*a*a*a*a*a*a*b",
}
_GUARD: Final = """\
kind: guard
id: conformance-guard
version: "1"
spec:
  reasons: {hit: It is hit.}
  module: |
    package gatehouse.guard.conformance_guard

    MODULE
"""
_OUTSIDE: Final = {
    "http.send": 'deny contains "hit" if http.send({"method": "GET", "url": "http://127.0.0.1/"}).status_code == 200',
    "http.send by brackets": 'deny contains "hit" if http["send"]({"method": "GET", "url": "http://127.0.0.1/"})',
    "http.send by with": 'deny contains "hit" if x with count as http.send\n\n    x if count([1])',
    "http.send that nobody calls": 'deny contains "hit" if input.request.n > 2\n\n    f(x) := http.send(x)',
    "opa.runtime": 'deny contains "hit" if opa.runtime().env.PATH',
    "net.lookup_ip_addr": 'deny contains "hit" if net.lookup_ip_addr("a.example")',
    "data of others": 'deny contains "hit" if data.gatehouse.guard.other.deny',
}
_HARMLESS: Final = 'deny contains "hit" if input.request.n > 2'
_ENDLESS: Final = """\
deny contains "hit" if {
      some a in numbers.range(1, 100000)
      some b in numbers.range(1, 100000)
      a * b == -1
    }
"""
_ASKED: Final = """\
tests:
  - name: ann asks
    request: {subject: user:ann, operation: chat.completions, model: parrot}
    expect: {effect: allow}
"""
_ACCESS: Final = """\
kind: access
id: conformance-access
version: "1"
spec:
  grants:
    - {id: ann, effect: allow, subjects: ["user:ann"], models: [parrot], operations: [chat.completions]}
"""
_REDACTION: Final = """\
kind: redaction
id: conformance-redaction
version: "1"
spec:
  hold: {max_bytes: 65536}
  rules:
    - {id: found, detectors: [written], action: replace}
  detectors:
    - id: written
      patterns: [{expression: 'EXPRESSION', alone: ""}]
      finds: ['FINDS']
      ignores: ["c"]
"""
_MODEL: Final = """\
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = MATCHER
"""
_MATCHER: Final = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"


def _refused(slug: str, source: str) -> Check:
    def attack(tenant: Scratch) -> None:
        told = tenant.validated(source)
        if told["valid"]:
            raise Wrong("it is held for a policy")
        if not _NAMES_CODE.intersection(codes_in(told["diagnostics"])):
            raise Wrong("it is refused for something else")

    return Check(slug=slug, attack=attack)


def _guard(module: str) -> str:
    return _GUARD.replace("MODULE", module)


def _harmless(tenant: Scratch) -> None:
    if not tenant.validated(_guard(_HARMLESS))["valid"]:
        raise Wrong("a guard that reads its input is refused")


def _endless(tenant: Scratch) -> None:
    """The guard's denial never comes, and what waits for it is refused; others are answered meanwhile."""
    told = _while_others_ask(tenant, lambda: tenant.tried(ROUTES, _ACCESS + _ASKED, _guard(_ENDLESS)))
    if not told["compiled"]:
        raise Wrong("its evaluation cannot be tried: the documents make no release")
    if told["passed"] or "evaluation-failed" not in told["tests"][0]["problem"]:
        raise Wrong("what could not be evaluated is not refused for that")


def _backtracks(expression: str) -> Callable[[Scratch], None]:
    source = _REDACTION.replace("EXPRESSION", expression).replace("FINDS", "aab")
    body = {"text": _LONG_TEXT, "documents": [{"filename": "redaction.yaml", "source": source}]}

    def attack(tenant: Scratch) -> None:
        author = tenant.somebody("author")
        answer = _while_others_ask(tenant, lambda: tenant.ask("POST", "/v1/redactions:test", author, body))
        if expect(answer, HTTPStatus.OK)["findings"]:
            raise Wrong("it finds what is not there")

    return attack


def _while_others_ask(tenant: Scratch, ask: Callable[[], Any]) -> Any:
    """Return what `ask` does, once it has ended in time, and the server has answered others all along."""
    until, asked = time.monotonic() + _ENDS_WITHIN_S, 0
    pool = ThreadPoolExecutor(max_workers=1)
    asking: Future[Any] = pool.submit(ask)
    pool.shutdown(wait=False)
    while not asking.done() or not asked:
        if time.monotonic() > until:
            raise Wrong(f"it has not ended after {_ENDS_WITHIN_S} s")
        expect(tenant.ask("GET", "/v1/role-bindings", tenant.admin), HTTPStatus.OK)
        asked += 1
        time.sleep(0.05)
    return asking.result()


def _matcher(slug: str, matcher: str) -> Check:
    def attack(tenant: Scratch) -> None:
        if tenant.plane.imports(_MODEL.replace("MATCHER", matcher), "p, ann, parrot, chat\n") is not None:
            raise Wrong("the model is imported")

    return Check(slug=slug, attack=attack)


def _plain_matcher(tenant: Scratch) -> None:
    document = tenant.plane.imports(_MODEL.replace("MATCHER", _MATCHER), "p, ann, parrot, chat\n")
    if document is None or not tenant.validated(document)["valid"]:
        raise Wrong("a model that says no more than a policy can is refused")


CODE_CASES: Final = (
    Case(
        number=70,
        title="A policy reaches nothing outside, ends, and takes no longer for what a caller writes",
        checks=(
            *(_refused(slug, _guard(module)) for slug, module in _OUTSIDE.items()),
            Check(slug="a guard that never ends", attack=_endless),
            *(Check(slug=f"pattern: {slug}", attack=_backtracks(each)) for slug, each in _BACKTRACKS.items()),
            _matcher("casbin: eval", f"{_MATCHER} && eval(p.act)"),
            _matcher("casbin: regexMatch", "r.sub == p.sub && regexMatch(r.obj, p.obj) && r.act == p.act"),
            _matcher("casbin: a call of its own", f"{_MATCHER} && os.system(r.sub)"),
            Check(slug="sibling: a harmless guard", attack=_harmless),
            Check(slug="sibling: a plain matcher", attack=_plain_matcher),
        ),
    ),
)
