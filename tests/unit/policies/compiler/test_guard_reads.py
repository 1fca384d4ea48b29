# SPDX-License-Identifier: Apache-2.0
"""What OPA's syntax tree says a guard reads: each way to `input`, and each cause never to reuse an answer."""

import json
import subprocess

import pytest

from policies.compiler.compile import compile_release
from policies.compiler.guard_reads import DETERMINISTIC, reads_of
from policies.document.loader import load_documents
from policies.library import pack

DEMO = {**pack("baseline"), **pack("demo")}


def reads(module: str, opa_binary) -> tuple[str, ...] | None:
    rows = "".join(f"    {row}\n" for row in ("package gatehouse.guard.my_guard\n" + module).splitlines())
    document = f'kind: guard\nid: my-guard\nversion: "1"\nspec:\n  reasons: {{x: No.}}\n  module: |\n{rows}'
    documents = load_documents({**DEMO, "my-guard.yaml": document.encode()})
    snapshot = compile_release(documents, tenant="default", environment="production", opa_binary=str(opa_binary))
    return {guard.id: guard.reads for guard in snapshot.guards}["my-guard"]


@pytest.mark.opa
@pytest.mark.parametrize(
    ("module", "want"),
    [
        pytest.param('deny contains "x" if 1 == 1', (), id="nothing"),
        pytest.param('deny contains "x" if input.request.n > 1', ("request.n",), id="a-field"),
        pytest.param('deny contains "x" if input["request"]["n"] > 1', ("request.n",), id="a-field-in-brackets"),
        pytest.param(
            'deny contains "x" if { input.request.n > 1; input.subject.type == "user" }',
            ("request.n", "subject.type"),
            id="two-fields",
        ),
        pytest.param('deny contains "x" if input.request[_] == 1', ("request",), id="any-field"),
        pytest.param(
            'deny contains "x" if { name := "n"; input.request[name] == 1 }', ("request",), id="a-field-by-variable"
        ),
        pytest.param(
            'deny contains "x" if input.request[lower("N")] == 1', ("request",), id="a-field-by-a-computed-name"
        ),
        pytest.param(
            'deny contains "x" if input.request[input.action.name] == 1',
            ("action.name", "request"),
            id="a-field-by-another-field",
        ),
        pytest.param('deny contains "x" if input.request.tools[0] == "a"', ("request.tools",), id="an-element"),
        pytest.param(
            'deny contains "x" if { some t in input.request.tools; t == "a" }', ("request.tools",), id="some-in"
        ),
        pytest.param(
            'deny contains "x" if { every r in input.request.roles { r != input.resource.id } }',
            ("request.roles", "resource.id"),
            id="every",
        ),
        pytest.param('deny contains "x" if not input.request.stream', ("request.stream",), id="not"),
        pytest.param(
            'deny contains "x" if count({t | t := input.request.tools[_]}) > 1', ("request.tools",), id="comprehension"
        ),
        pytest.param('deny contains "x" if { r := input.request; r.n > 1 }', ("request",), id="a-part-in-a-variable"),
        pytest.param('import input.request as r\ndeny contains "x" if r.n > 1', ("request",), id="an-imported-part"),
        pytest.param("deny contains input.request.tool_choice", ("request.tool_choice",), id="in-a-head"),
        pytest.param(
            'p[input.subject.id] := 1\ndeny contains "x" if p.a == 1', ("subject.id",), id="in-the-name-of-a-rule"
        ),
        pytest.param(
            'deny contains "x" if f(3)\nf(n) if n < input.request.n', ("request.n",), id="in-a-function-that-is-called"
        ),
        pytest.param(
            'v := 1 if input.request.n == 1 else := 2 if input.request.stream\ndeny contains "x" if v == 2',
            ("request.n", "request.stream"),
            id="in-else",
        ),
        pytest.param(
            'deny contains "x" if data.gatehouse.guard.my_guard.big\nbig if input.request.n > 3',
            ("request.n",),
            id="through-its-own-package",
        ),
        pytest.param('deny contains "x" if $"{input.request.n}" == "1"', ("request.n",), id="in-a-template"),
        pytest.param(
            'deny contains "x" if object.get(input.request, ["n"], 0) == 1', ("request",), id="given-to-a-function"
        ),
        pytest.param('deny contains "x" if input.access.effect == "deny"', ("access.effect",), id="access"),
        pytest.param('deny contains "x" if input.context.tenant == "a"', ("context.tenant",), id="beside-the-time"),
    ],
)
def test_finds_what_a_guard_reads(module, want, opa_binary) -> None:
    assert want == reads(module, opa_binary)


@pytest.mark.opa
@pytest.mark.parametrize(
    "module",
    [
        pytest.param('deny contains "x" if { i := input; i.request.n == 1 }', id="all-of-input"),
        pytest.param('import input as i\ndeny contains "x" if i.request.n == 1', id="input-by-another-name"),
        pytest.param('deny contains "x" if { walk(input, [p, 1]); p[0] == "request" }', id="input-given-away"),
        pytest.param('deny contains "x" if input[_].n == 1', id="any-part-of-input"),
        pytest.param('deny contains "x" if { k := "request"; input[k].n == 1 }', id="a-part-by-variable"),
        pytest.param('deny contains "x" if input.context.time == "now"', id="the-time-of-the-request"),
        pytest.param('deny contains "x" if input.context[_] == "now"', id="a-part-that-has-the-time"),
        pytest.param('deny contains "x" if time.now_ns() > 1', id="clock"),
        pytest.param('deny contains "x" if rand.intn("a", 2) == 1', id="chance"),
        pytest.param('deny contains "x" if startswith(uuid.rfc4122("a"), "0")', id="another-chance"),
        pytest.param('deny contains "x" if f(1)\nf(n) if time.now_ns() > n', id="clock-behind-a-function"),
        pytest.param(
            'default ok := false\nok if time.now_ns() > 1\ndeny contains "x" if not ok', id="clock-behind-a-rule"
        ),
        pytest.param('v := 1 if 1 == 2 else := time.now_ns()\ndeny contains "x" if v > 2', id="clock-in-else"),
        pytest.param('deny contains "x" if count([t | t := time.now_ns()]) == 1', id="clock-in-a-comprehension"),
        pytest.param('deny contains "x" if $"{time.now_ns()}" != ""', id="clock-in-a-template"),
        pytest.param(
            'deny contains "x" if crypto.x509.parse_and_verify_certificates("a")[0]', id="clock-that-opa-does-not-mark"
        ),
        pytest.param(
            'deny contains "x" if io.jwt.decode_verify("a", {"secret": "b"})[0]', id="clock-behind-a-signature"
        ),
        pytest.param('deny contains "x" if json.match_schema({}, {})[0]', id="a-schema-that-may-be-fetched"),
        pytest.param('deny contains "x" if time.weekday(0) == "Monday"', id="a-function-that-is-not-listed"),
        pytest.param(
            'big if input.request.n > 3\ndeny contains "x" if big with input.request.n as 4', id="another-input"
        ),
        pytest.param(
            'f(_) := 1\ndeny contains "x" if { v := f(1) with f as abs; v == 1 }', id="another-function-in-its-place"
        ),
    ],
)
def test_does_not_let_an_answer_be_reused(module, opa_binary) -> None:
    assert reads(module, opa_binary) is None


def test_without_opa_no_answer_may_be_reused() -> None:
    snapshot = compile_release(load_documents(DEMO), tenant="default", environment="production", opa_binary=None)
    assert {guard.reads for guard in snapshot.guards} == {None}


@pytest.mark.opa
def test_lists_no_function_that_opa_marks(opa_binary) -> None:
    told = subprocess.run([opa_binary, "capabilities", "--current"], capture_output=True, check=True).stdout
    marked = {each["name"] for each in json.loads(told)["builtins"] if each.get("nondeterministic")}
    assert marked
    assert not marked & DETERMINISTIC


def _module(*terms: object, **more: object) -> dict[str, object]:
    head = {"name": "deny", "key": {"type": "string", "value": "x"}}
    return {"rules": [{"head": head, "body": [{"index": 0, "terms": list(terms), **more}]}]}


def _ref(root: str, *names: str) -> dict[str, object]:
    path = [{"type": "string", "value": name} for name in names]
    return {"type": "ref", "value": [{"type": "var", "value": root}, *path]}


@pytest.mark.parametrize(
    ("tree", "want"),
    [
        pytest.param(_module(_ref("count"), _ref("input", "request", "n")), ("request.n",), id="known"),
        pytest.param(_module(_ref("count"), {"type": "hologram", "value": []}), None, id="a-term-not-known"),
        pytest.param(_module(_ref("newest"), _ref("input", "request", "n")), None, id="a-function-not-known"),
        pytest.param(_module(_ref("floor"), _ref("input", "request", "n")), None, id="listed-but-marked-by-this-opa"),
        pytest.param(_module({"type": "var", "value": "f"}), None, id="a-call-of-something-else"),
    ],
)
def test_what_is_not_known_is_not_reused(tree, want) -> None:
    assert want == reads_of(tree, builtins={"count": False, "floor": True, "newest": False})
