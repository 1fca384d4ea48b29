# SPDX-License-Identifier: Apache-2.0
"""The engines over cases that others wrote: OPA's own Rego cases, and Casbin's own models with their decisions.

What the embedded engine cannot run must be refused, at load or at the query. What it answers otherwise than OPA is
listed here by name: the list may only shrink.
"""

import gzip
import json
import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import casbin
import pytest

from policies.compiler.compile import assembled
from policies.compiler.opa_check import check_with_opa
from policies.contracts.decision import Outcome
from policies.contracts.errors import PolicyRejected
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.document.loader import load_documents
from policies.engines.casbin import CasbinAccess
from policies.engines.embedded_rego import is_plain
from policies.engines.rego_library import RegoError
from policies.engines.rego_plan import RegoRefused, compile_rego, refuse_unfaithful
from policies.importing.casbin import Naming, import_casbin
from policies.importing.rego import import_rego
from policies.importing.rego_entrypoint import NOT_TRUE, Entrypoint

pytestmark = pytest.mark.corpus

LEAST_AGREEING = 764
LEAST_IMPORTED = 3
LEAST_OF_REGO_IMPORTED = 17
# rego-cpp goes on behind a node that it has already seen.
ANSWERED_OTHERWISE = {"reachable_paths/cycle_1022_3"}

# Guards are asked by one entry point. Of another form are the queries of several rules, of a function, of all data.
RULE_IS_VARIABLE = re.compile(r"data\.([a-zA-Z_][\w.]*) = ([a-z]\w*)")

UNDEFINED = object()


class Refused(Exception):
    pass


def rows(corpora: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(corpora / "policy" / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def answer_embedded(case: dict[str, Any], entrypoint: str) -> object:
    if not is_plain([case.get("data"), case.get("input")]):
        raise Refused("a string that needs an escape")
    modules = {f"{number}.rego": text for number, text in enumerate(case["modules"])}
    try:
        compiled = compile_rego(modules, data=case.get("data") or {}, entrypoints=[entrypoint])
        refuse_unfaithful(compiled)
        if "input_term" in case:
            compiled.interpreter.set_input_term(case["input_term"])
        elif "input" in case:
            compiled.interpreter.set_input_term(json.dumps(case["input"], ensure_ascii=False))
        output = compiled.interpreter.query_bundle_entrypoint(compiled.bundle, entrypoint)
    except RegoRefused as exc:
        raise Refused(str(exc)) from exc
    except (RegoError, ValueError) as exc:
        raise Refused(type(exc).__name__) from exc
    if not output.ok():
        raise Refused("the query failed")
    return next(iter(output.results[0].expressions), UNDEFINED)


def without_order(value: Any) -> Any:
    """Sets come as arrays, in no order that the cases fix."""
    if isinstance(value, list):
        return sorted(map(without_order, value), key=lambda member: json.dumps(member, sort_keys=True))
    if isinstance(value, dict):
        return {key: without_order(member) for key, member in value.items()}
    return value


def test_embedded_rego_agrees_with_opa_or_refuses(corpora) -> None:
    agreeing, refused, otherwise, not_asked = 0, Counter[str](), set[str](), 0
    for case in rows(corpora, "opa_rego_cases.jsonl.gz"):
        if "want_result" not in case:
            continue
        query = RULE_IS_VARIABLE.fullmatch(case["query"])
        if query is None or query[2] == "input":
            not_asked += 1
            continue
        try:
            value = answer_embedded(case, query[1].replace(".", "/"))
        except Refused as exc:
            refused[str(exc).partition(";")[0]] += 1
            continue
        got = [] if value is UNDEFINED else [{query[2]: value}]
        if without_order(got) == without_order(case["want_result"]):
            agreeing += 1
        else:
            otherwise.add(case["note"])
    report = f"{agreeing} agree, {refused.total()} refused, {not_asked} not asked, otherwise: {otherwise}; {refused}"
    assert agreeing >= LEAST_AGREEING, report
    assert otherwise <= ANSWERED_OTHERWISE, report


def test_embedded_rego_answers_nothing_that_opa_fails(corpora) -> None:
    """A case whose built-in fails under strict errors must not come back as a value."""
    answered = set[str]()
    failing = 0
    for case in rows(corpora, "opa_rego_cases.jsonl.gz"):
        query = RULE_IS_VARIABLE.fullmatch(case["query"])
        if query is None or case.get("want_error_code") != "eval_builtin_error":
            continue
        failing += 1
        try:
            value = answer_embedded(case, query[1].replace(".", "/"))
        except Refused:
            continue
        answered.add(f"{case['note']}: {'undefined' if value is UNDEFINED else 'a value'}")
    assert failing > 50
    assert not answered


@pytest.mark.opa
def test_rego_is_imported_to_say_the_same_or_refused(corpora, opa_binary, tmp_path) -> None:
    """Every twenty-fifth case: its query's rule as the entrypoint of a guard, which denies what it does not make true."""
    imported, refused = 0, Counter[str]()
    for case in [case for case in rows(corpora, "opa_rego_cases.jsonl.gz") if case.get("modules")][::25]:
        query = RULE_IS_VARIABLE.fullmatch(case["query"])
        if query is None or "." not in query[1] or "input_term" in case:
            refused["another-query"] += 1
            continue
        files = {f"{number}.rego": text for number, text in enumerate(case["modules"])}
        entrypoint = Entrypoint.read(query[1].replace(".", "/"))
        found = import_rego(files, opa_binary=str(opa_binary), entrypoint=entrypoint)
        assert bool(found.problems) is not bool(found.documents), case["note"]
        if found.problems:
            refused[found.problems[0].code] += 1
            continue
        (document,) = found.documents.values()
        (guard,) = load_documents({"a.json": json.dumps(document).encode()})
        assert check_with_opa(str(opa_binary), [guard]).problems == [], case["note"]
        if "want_result" not in case:
            refused["fails-when-asked"] += 1
            continue
        with_input = ["--stdin-input"] if "input" in case else []  # none at all is not null
        (tmp_path / "guard.rego").write_text(guard.spec.module, encoding="utf-8")
        done = subprocess.run(
            [opa_binary, "eval", "--data", tmp_path / "guard.rego", *with_input, "data.gatehouse.guard"],
            input=json.dumps(case.get("input")),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        (said,) = json.loads(done.stdout)["result"][0]["expressions"][0]["value"].values()
        got = (said.get("allow") is True, said["deny"])
        want = any(each[query[2]] is True for each in case["want_result"])  # a 1 is not: it would be equal
        assert got == ((True, []) if want else (False, [NOT_TRUE])), case["note"]
        imported += 1
    assert imported >= LEAST_OF_REGO_IMPORTED, f"{imported} imported, refused: {dict(refused)}"


@pytest.mark.opa
def test_real_opa_agrees_with_a_sample(corpora, opa_binary, tmp_path) -> None:
    """OPA on its own cases, as a check of how they are read here: every fortieth."""
    asked = 0
    for case in [case for case in rows(corpora, "opa_rego_cases.jsonl.gz") if "want_result" in case][::40]:
        query = RULE_IS_VARIABLE.fullmatch(case["query"])
        if query is None or query[2] == "input" or "input_term" in case:
            continue
        files = {f"{number}.rego": text for number, text in enumerate(case["modules"])}
        folder = tmp_path / str(asked)
        folder.mkdir()
        for name, text in (files | {"data.json": json.dumps(case.get("data") or {})}).items():
            (folder / name).write_text(text, encoding="utf-8")
        done = subprocess.run(
            [opa_binary, "eval", "--data", folder, "--stdin-input", "--format", "json", f"data.{query[1]}"],
            input=json.dumps(case.get("input")),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        result = json.loads(done.stdout).get("result", [])
        got = [{query[2]: each["expressions"][0]["value"]} for each in result]
        assert without_order(got) == without_order(case["want_result"]), case["note"]
        asked += 1
    assert asked > 10


def test_casbin_decides_its_own_cases(corpora, tmp_path) -> None:
    """119 of 125: each other one is refused. Four have a comment behind the effect, two a pattern that ends in `/*`."""
    agreeing, otherwise = 0, Counter[str]()
    for case in rows(corpora, "casbin_cases.jsonl.gz"):
        (tmp_path / "model.conf").write_text(case["model"])
        (tmp_path / "policy.csv").write_text(case["policy"])
        enforcer = casbin.Enforcer(str(tmp_path / "model.conf"), str(tmp_path / "policy.csv"))
        for request in case["requests"]:
            try:
                allowed = enforcer.enforce(*request["args"])
            except Exception as exc:
                allowed = type(exc).__name__
            if allowed is request["expect"]:
                agreeing += 1
            else:
                otherwise[f"{case['id']}: {allowed}"] += 1
    assert agreeing >= 119, otherwise
    assert not any(answer.endswith(": True") for answer in otherwise), otherwise


def test_casbin_policies_are_imported_exactly_or_not_at_all(corpora) -> None:
    """Of 16, those whose model grants can say decide every case as Casbin's own tests have it; the rest is refused."""
    agreeing, imported, refused = 0, 0, Counter[str]()
    for case in rows(corpora, "casbin_cases.jsonl.gz"):
        try:
            document = import_casbin(
                ("model", case["model"]), ("rows", case["policy"]), policy="imported", naming=Naming()
            )
        except PolicyRejected as exc:
            refused[exc.diagnostics[0].code] += 1
            continue
        imported += 1
        access = CasbinAccess(assembled(load_documents({"a.json": json.dumps(document).encode()})))
        for request in case["requests"]:
            subject, obj, act = request["args"]
            asked = EvaluationRequest(
                request_id="r",
                tenant="",
                environment="",
                subject=Subject(type="user", id=subject),
                action=act,
                resource=Resource(type="model", id=obj),
                facts=RequestFacts(),
                at=datetime(2026, 11, 20, tzinfo=UTC),
            )
            (answer,) = access.evaluate(asked).answers
            assert (answer.outcome is Outcome.ALLOW) is request["expect"], (case["id"], request)
            agreeing += 1
    report = f"{imported} imported, {agreeing} decisions agree, refused: {dict(refused)}"
    assert (imported, agreeing > 0, refused.total()) == (LEAST_IMPORTED, True, 16 - LEAST_IMPORTED), report
