# SPDX-License-Identifier: Apache-2.0
"""Check guards with a real OPA: its compiler under restricted capabilities, and its syntax tree for what they read."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from policies.bundle.guard_entry import guard_name
from policies.compiler.guard_reads import reads_of
from policies.compiler.guard_schema import SCHEMA
from policies.compiler.guard_source import GuardSource, sources_of
from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument
from policies.engines.rego_plan import FORBIDDEN_BUILTINS

_CAPABILITIES: Final = "capabilities.json"
_SCHEMA: Final = "input.json"
# OPA compiles a module of 256 KiB within two seconds on a busy machine; more is not waited for.
_TIMEOUT_S: Final = 15.0
_SETS: Final = ("deny", "obligations", "deny_call")


@dataclass(frozen=True, slots=True)
class CheckedGuards:
    """What is wrong with guards, and the fields of `input` that each reads, by its id; None: not to be reused.

    `judges` has the ids of those that decide on tool calls of answers.
    """

    problems: list[Diagnostic] = field(default_factory=list)
    reads: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    judges: set[str] = field(default_factory=set)


def check_with_opa(binary: str, guards: Sequence[PolicyDocument]) -> CheckedGuards:
    """Return what OPA finds in the Rego of `guards`. Each is compiled by itself: none may need another."""
    sources = sources_of(guards)
    try:
        return _check_all(binary, sources)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        # Without its answer nothing is known of any module: none may pass.
        return CheckedGuards([source.problem("rego-unchecked", "OPA could not be run.", row=1) for source in sources])


def rows_of_rules(binary: str, module: str) -> dict[str, int]:
    """Return in which row the first rule of each name in `module` begins; nothing where OPA cannot read it."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-opa-") as folder:
        Path(folder, "module.rego").write_text(module, encoding="utf-8")
        try:
            arguments = ("parse", "--format", "json", "--json-include", "locations", "module.rego")
            tree = json.loads(_run(binary, *arguments, folder=folder))
            rows: dict[str, int] = {}
            for rule in tree.get("rules") or ():
                rows.setdefault(str(_name_of(rule)), (rule.get("location") or {}).get("row", 1))
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}
        return rows


def _check_all(binary: str, sources: Sequence[GuardSource]) -> CheckedGuards:
    checked = CheckedGuards()
    with tempfile.TemporaryDirectory(prefix="gatehouse-opa-") as folder:
        capabilities = json.loads(_run(binary, "capabilities", "--current", folder=folder))
        builtins = {b["name"]: bool(b.get("nondeterministic", False)) for b in capabilities["builtins"]}
        capabilities["builtins"] = [b for b in capabilities["builtins"] if b["name"] not in FORBIDDEN_BUILTINS]
        capabilities["allow_net"] = []
        Path(folder, _CAPABILITIES).write_text(json.dumps(capabilities), encoding="utf-8")
        Path(folder, _SCHEMA).write_text(json.dumps(SCHEMA), encoding="utf-8")
        for source in sources:
            Path(folder, source.file).write_text(source.module, encoding="utf-8")
            tree, problems = _check(binary, source, folder)
            checked.problems.extend(problems)
            checked.reads[source.id] = None if problems else reads_of(tree, builtins=builtins)
            if any(_name_of(rule) == "deny_call" for rule in tree.get("rules") or ()):
                checked.judges.add(source.id)
    return checked


def _check(binary: str, source: GuardSource, folder: str) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Return the syntax tree of `source` and what is wrong with it; the tree is empty where there is none."""
    try:
        under = ("--strict", "--capabilities", _CAPABILITIES, "--schema", _SCHEMA)
        checked = _run(binary, "check", *under, "--format", "json", source.file, folder=folder)
        wrong = [] if checked.strip() in ("", "{}") else json.loads(checked)["errors"]
        problems = [_of_opa(error, source) for error in wrong]
        if any(problem.code == "rego-parse-error" for problem in problems):
            return {}, problems
        tree: dict[str, Any] = json.loads(
            _run(binary, "parse", "--format", "json", "--json-include", "locations", source.file, folder=folder)
        )
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError, RecursionError):
        return {}, [source.problem("rego-unchecked", "OPA could not check the module.", row=1)]
    return tree, [*problems, *_package(tree, source), *_rules(tree, source), *_data(tree, source)]


def _of_opa(error: Mapping[str, Any], source: GuardSource) -> Diagnostic:
    place = error.get("location") or {}
    message = str(error["message"])
    code = str(error["code"]).replace("_", "-")
    if any(f"undefined function {name}" in message for name in FORBIDDEN_BUILTINS):
        code, message = "builtin-forbidden", f"Guards may not call {message.rpartition(' ')[2]}"
    return source.problem(code, f"{message}.", row=place.get("row", 1), column=place.get("col", 1))


def _package(tree: Mapping[str, Any], source: GuardSource) -> Iterator[Diagnostic]:
    stated = ".".join(str(term["value"]) for term in tree["package"]["path"][1:])
    if stated != source.package:
        place = tree["package"]["location"]
        yield source.problem(
            "wrong-package", f"The package is {stated}.", row=place["row"], fix=f"It is {source.package}."
        )


def _rules(tree: Mapping[str, Any], source: GuardSource) -> Iterator[Diagnostic]:
    decides = False
    for rule in tree.get("rules") or ():
        head = rule["head"]
        name = _name_of(rule)
        place = rule.get("location") or head.get("location") or {}
        decides |= name in (*_SETS, "allow")
        is_set = "key" in head and "value" not in head
        if (name in _SETS and not is_set) or (name == "allow" and ("key" in head or "args" in head)):
            yield source.problem(
                "rule-form",
                f"{name} is not {'a set' if name in _SETS else 'a boolean'}.",
                row=place.get("row", 1),
                column=place.get("col", 1),
                fix=f"Write '{name} contains … if …'." if name in _SETS else "Write 'allow if …'.",
            )
        elif name == "deny" and head["key"]["type"] == "string" and head["key"]["value"] not in source.reasons:
            yield source.problem(
                "reason-undeclared",
                f"spec.reasons does not declare {head['key']['value']!r}.",
                row=place.get("row", 1),
                column=place.get("col", 1),
                fix="Declare it.",
            )
    if not decides:
        yield source.problem(
            "guard-decides-nothing", "The guard has none of deny, allow, obligations and deny_call.", row=1
        )


def _name_of(rule: Mapping[str, Any]) -> str | None:
    head = rule["head"]
    name: str | None = head["ref"][0]["value"] if "ref" in head else head.get("name")
    return name


def _data(tree: Mapping[str, Any], source: GuardSource) -> Iterator[Diagnostic]:
    name = guard_name(source.id)
    allowed = (("gatehouse", "guard_data", name), ("gatehouse", "guard", name))
    rest: list[Any] = [tree.get("rules"), tree.get("imports")]
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest += node
        elif isinstance(node, dict):
            path = node["value"] if node.get("type") == "ref" else [node]
            if not _is_data(path[0]):
                rest += node.values()
                continue
            rest += path[1:]
            if tuple(term["value"] for term in path[1:4] if term["type"] == "string") not in allowed:
                place = path[0].get("location") or {}
                yield source.problem(
                    "foreign-data",
                    "A guard reads only its own data and package.",
                    row=place.get("row", 1),
                    column=place.get("col", 1),
                    fix=f"Read data.gatehouse.guard_data.{name}.",
                )


def _is_data(term: Mapping[str, Any]) -> bool:
    return term.get("type") == "var" and term.get("value") == "data"


def _run(binary: str, *arguments: str, folder: str) -> str:
    """Return what OPA says, on whichever stream: `check` and `parse` tell errors apart by their form."""
    done = subprocess.run(
        [binary, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env={"HOME": folder, "PATH": ""},
    )
    return done.stdout if done.stdout.strip() else done.stderr
