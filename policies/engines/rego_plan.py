# SPDX-License-Identifier: Apache-2.0
"""Compile Rego for the embedded engine, and refuse what it would answer wrongly instead of not at all.

Facts about rego-cpp (regopy 1.5.2), each pinned by a test: a built-in it does not have and a variable that is never
given a value compile without complaint; a recursive rule too. Called, each leaves its rule undefined or breaks the
query, so that a denial would vanish. OPA's compiler refuses all three.

Theory: the compiler writes the plan it will execute, OPA's intermediate representation, into a saved bundle. The plan
has every call, also those of operators, `in`, comprehensions and `with`, under its final name, so that reading it
misses no syntax. What is examined is the very plan that will be asked.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policies.contracts.codec import JSON
from policies.engines.rego_library import LOADED_IN_ORDER, Bundle, Interpreter, LogLevel, RegoError
from policies.engines.rego_order import ORDER_MODULE, ORDER_PACKAGE, redirect_comparisons

# These exist in rego-cpp or in OPA, and no guard may have them: each reaches out of the decision or tells of its host.
FORBIDDEN_BUILTINS: Final = frozenset(
    {"http.send", "opa.runtime", "net.lookup_ip_addr", "trace", "print", "internal.print"},
)

_ERROR: Final = re.compile(r"\(errormsg \d+:([^)]*)\)")


class RegoRefused(ValueError):
    """Rego that the embedded engine cannot run faithfully. Its text may be shown to authors."""


@dataclass(frozen=True, slots=True)
class CompiledRego:
    """An interpreter with the bundle it built. Both belong to the thread that compiled: shared, they crash."""

    interpreter: Interpreter
    bundle: Bundle
    plan: Mapping[str, Any]


def compile_rego(
    modules: Mapping[str, str],
    *,
    data: Mapping[str, JSON],
    entrypoints: Sequence[str],
) -> CompiledRego:
    """Return `modules` (by file name) compiled for `entrypoints`. Raises RegoRefused where they do not compile."""
    if not LOADED_IN_ORDER:
        raise RegoRefused("another C++ library was loaded before rego-cpp; import policies.engines.rego_library first")
    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    interpreter.strict_built_in_errors = True
    try:
        interpreter.add_module("gatehouse_order.rego", ORDER_MODULE)
        for name in sorted(modules):
            interpreter.add_module(name, modules[name])
        interpreter.add_data_json(json.dumps(data, ensure_ascii=False, allow_nan=False))
        bundle = interpreter.build(None, (*entrypoints, ORDER_PACKAGE))
        if not bundle.ok():
            raise RegoRefused("the Rego modules do not compile")
        with tempfile.TemporaryDirectory(prefix="gatehouse-rego-") as folder:
            interpreter.save_bundle(folder, bundle)
            saved = Path(folder, "plan.json")
            plan = json.loads(saved.read_text(encoding="utf-8"))
            redirect_comparisons(plan)
            saved.write_text(json.dumps(plan, ensure_ascii=False), encoding="utf-8")
            bundle = interpreter.load_bundle(folder)
    except RegoError as exc:
        problems = _ERROR.findall(str(exc)) or ["no reason given"]
        raise RegoRefused(f"the Rego modules do not compile: {problems[0]}") from exc
    return CompiledRego(interpreter, bundle, plan)


def unsupported_calls(compiled: CompiledRego) -> tuple[str, ...]:
    """Return the names called in the plan that are neither its own functions nor built-ins one may call, sorted.

    They are built-ins that the embedded engine lacks, those that no guard may use, and functions that nobody defines.
    """
    own = {function["name"] for function in _functions(compiled)}
    called = {
        statement["stmt"]["func"] for statement in _statements(compiled.plan) if statement["type"] == "CallStmt"
    } | {declared["name"] for declared in compiled.plan["static"].get("builtin_funcs", ())}
    return tuple(
        sorted(
            name for name in called - own if name in FORBIDDEN_BUILTINS or not compiled.interpreter.is_builtin(name)
        ),
    )


def refuse_unfaithful(compiled: CompiledRego) -> None:
    """Raise RegoRefused where the plan would not be run as OPA runs it."""
    if missing := unsupported_calls(compiled):
        raise RegoRefused(f"the embedded Rego engine has no {', '.join(missing)}; run the guard with OPA")
    calls: dict[str, set[str]] = {}
    for function in _functions(compiled):
        name = function["name"]
        if _reads_what_nothing_wrote(function):
            raise RegoRefused(f"{_rule(name)} uses a variable that is never given a value")
        calls[name] = {
            statement["stmt"]["func"] for statement in _statements(function) if statement["type"] == "CallStmt"
        }
    if name := _recursive(calls):
        raise RegoRefused(f"{_rule(name)} is recursive")


def _functions(compiled: CompiledRego) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = compiled.plan["funcs"]["funcs"]
    return functions


def _statements(part: object) -> Iterator[dict[str, Any]]:
    """Give every statement within `part` of a plan, those of nested blocks too."""
    if isinstance(part, dict):
        if isinstance(part.get("type"), str) and isinstance(part.get("stmt"), dict):
            yield part
        for member in part.values():
            yield from _statements(member)
    elif isinstance(part, list):
        for member in part:
            yield from _statements(member)


def _reads_what_nothing_wrote(function: Mapping[str, Any]) -> bool:
    written = set(function["params"])
    read: set[int] = set()
    for statement in _statements(function["blocks"]):
        members = statement["stmt"]
        writes = ("key", "value") if statement["type"] == "ScanStmt" else ("target", "result", "local")
        written.update(members[name] for name in writes if isinstance(members.get(name), int))
        operands = [*members.values(), *members.get("args", ())]
        read.update(
            operand["value"] for operand in operands if isinstance(operand, dict) and operand.get("type") == "local"
        )
    return not read <= written


def _recursive(calls: Mapping[str, set[str]]) -> str:
    """Return a function that calls itself, directly or through others; empty where there is none."""
    # Take away what calls nothing that is left, until nothing can be taken away: what remains lies on or above a cycle.
    left = {name: called & calls.keys() for name, called in calls.items()}
    while done := {name for name, called in left.items() if not called}:
        left = {name: called - done for name, called in left.items() if name not in done}
    return min(left, default="")


def _rule(function: str) -> str:
    """Return the name of a planned function as authors know it: `g0.data.p.deny` is `data.p.deny`."""
    return function.partition(".")[2]
