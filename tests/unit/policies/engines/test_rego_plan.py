# SPDX-License-Identifier: Apache-2.0
"""What the embedded engine refuses at load, and the traits of rego-cpp that are the reasons."""

import json

import pytest

from policies.engines import rego_plan
from policies.engines.embedded_rego import EmbeddedGuard, is_plain
from policies.engines.rego_plan import RegoRefused, compile_rego, refuse_unfaithful, unsupported_calls
from tests.contract.guards import data_of, guard, modules_of, snapshot_of


def module(rules: str) -> str:
    return f"package gatehouse.guard.g\n\n{rules}\n"


def compiled(rules: str):
    return compile_rego({"g.rego": module(rules)}, data={}, entrypoints=["gatehouse/guard/g"])


@pytest.mark.parametrize(
    ("rules", "want"),
    [
        pytest.param('deny contains "a" if http.send({})', ("http.send",), id="statement"),
        pytest.param('deny contains "a" if http["send"]({})', ("http.send",), id="by-brackets"),
        pytest.param('deny contains "a" if not net.cidr_contains("a", "b")', ("net.cidr_contains",), id="negated"),
        pytest.param('allow if some x in [net.lookup_ip_addr("a")]', ("net.lookup_ip_addr",), id="in-some"),
        pytest.param('x := [y | y := net.cidr_contains("a", "b")]', ("net.cidr_contains",), id="in-comprehension"),
        pytest.param("allow if { every x in [1] { http.send(x) } }", ("http.send",), id="in-every"),
        pytest.param("f(x) := http.send(x)\n\nallow := true", ("http.send",), id="in-a-function-nobody-calls"),
        pytest.param("allow if y with count as http.send\n\ny if count([1])", ("http.send",), id="brought-by-with"),
        pytest.param("allow if opa.runtime()", ("opa.runtime",), id="forbidden-though-there"),
        pytest.param('allow if print("a")', ("internal.print",), id="print"),
        pytest.param('allow if trace("a")', ("trace",), id="trace"),
        pytest.param("allow if nobody.defines(1)", ("nobody.defines",), id="unknown-function"),
        pytest.param('allow if { 1 + 2 == 3; "a" in {"a"}; 1 < 2; {1} | {2} }', (), id="operators"),
        pytest.param('allow if { regex.match("a", "b"); f(1) }\n\nf(x) := x', (), id="own-function"),
        pytest.param('http := {"send": 1}\n\nallow if http.send == 1', (), id="rule-of-that-name"),
        pytest.param('# http.send({})\nx := "http.send({})"', (), id="comment-and-text"),
    ],
)
def test_finds_every_builtin_that_is_not_to_be_had(rules, want) -> None:
    assert unsupported_calls(compiled(rules)) == want


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        pytest.param('deny contains "a" if inputt.request.n > 1', "never given a value", id="misspelt-input"),
        pytest.param("f(x) := f(x)\n\nallow if f(1)", "recursive", id="recursion"),
        pytest.param("f(x) := g(x)\n\ng(x) := f(x)\n\nallow if f(1)", "recursive", id="recursion-through-another"),
        pytest.param("allow if http.send({})", r"has no http\.send", id="built-in"),
    ],
)
def test_refuses_what_would_be_answered_wrongly(rules, problem) -> None:
    with pytest.raises(RegoRefused, match=problem):
        refuse_unfaithful(compiled(rules))


@pytest.mark.parametrize("rules", ["allow if {", "allow = := 1", "deny contains"])
def test_refuses_what_does_not_compile_without_showing_it(rules) -> None:
    with pytest.raises(RegoRefused) as caught:
        compiled(rules)
    assert len(str(caught.value)) < 200


def test_refuses_everything_where_another_library_was_first(monkeypatch) -> None:
    monkeypatch.setattr(rego_plan, "LOADED_IN_ORDER", False)
    with pytest.raises(RegoRefused, match="loaded before"):
        compiled("allow := true")


ORDERED = ["null", "false", "true", "-3", "1", "1.5", '"10"', '"a"', "[]", "{}", "set()"]


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_orders_values_of_different_types_as_opa_does(operator) -> None:
    pairs = [(a, b) for a in range(len(ORDERED)) for b in range(len(ORDERED)) if a != b or a < 8]
    rules = ", ".join(f"{ORDERED[a]} {operator} {ORDERED[b]}" for a, b in pairs)
    made = compile_rego({"g.rego": f"package p\n\nx := [{rules}]\n"}, data={}, entrypoints=["p/x"])
    refuse_unfaithful(made)
    made.interpreter.set_input_term("{}")
    (got,) = made.interpreter.query_bundle_entrypoint(made.bundle, "p/x").results[0].expressions
    compare = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}[operator]
    assert got == [compare(a, b) for a, b in pairs]


@pytest.mark.parametrize("pair", ["[1] < [2]", '{"a": 1} > {"a": 2}', "{1} <= {2}"])
def test_fails_to_order_collections_rather_than_order_them_by_text(pair) -> None:
    made = compile_rego({"g.rego": f"package p\n\nx := {pair}\n"}, data={}, entrypoints=["p/x"])
    made.interpreter.set_input_term("{}")
    assert not made.interpreter.query_bundle_entrypoint(made.bundle, "p/x").ok()


def test_trap_rego_cpp_counts_an_escape_as_its_letters() -> None:
    made = compile_rego({"g.rego": "package p\n\nx := count(input)\n"}, data={}, entrypoints=["p/x"])
    made.interpreter.set_input_term(json.dumps("a\nb"))
    assert made.interpreter.query_bundle_entrypoint(made.bundle, "p/x").results[0].expressions == [4]


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("shéll😀", True),
        ({"a": ["b", 1, None, True]}, True),
        ('a"b', False),
        ("a\\b", False),
        ("a\x00", False),
        ({"a\n": 1}, False),
        ([chr(0xD800)], False),
    ],
)
def test_knows_the_strings_that_it_would_misread(value, want) -> None:
    assert is_plain(value) is want


def test_guard_data_that_would_be_misread_is_refused() -> None:
    snapshot = snapshot_of(guard(data={"max_tokens": 1, "forbidden_tools": ["a\\d"]}))
    with pytest.raises(RegoRefused, match="misreads"):
        EmbeddedGuard(snapshot, modules=modules_of(snapshot), data=data_of(snapshot))
