# SPDX-License-Identifier: Apache-2.0
"""A reused answer is the one that a real OPA gives: random guards, random requests, asked with and without memory."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.compiler.compile import compile_release
from policies.contracts.decision import EngineAnswer
from policies.contracts.request import EvaluationRequest, RequestFacts
from policies.contracts.snapshot import PolicySnapshot
from policies.document.loader import load_documents
from policies.engines.opa import OpaGuard
from policies.engines.reused_guard import ReusedGuard, reusing
from policies.library import pack
from tests.contract.guards import ALLOWED, GUARD_REVISION, NOTHING_APPLIED, OpaProcess, request_of

BASE = {name: raw for name, raw in {**pack("baseline"), **pack("demo")}.items() if b"kind: guard" not in raw}

# Few values each, so that many requests agree in some fields and differ in others.
_FACTS = st.builds(
    RequestFacts,
    stream=st.booleans(),
    max_tokens=st.sampled_from([None, 0, 1, 2]),
    n=st.sampled_from([1, 2]),
    message_count=st.sampled_from([0, 1, 2]),
    roles=st.sampled_from([(), ("user",), ("system", "user")]),
    tools=st.sampled_from([(), ("a",), ("a", "b"), ("b", "a"), ("n",)]),
    tool_choice=st.sampled_from([None, "a", "n"]),
)
_REQUESTS = st.tuples(st.sampled_from(["alice", "bob"]), _FACTS).map(
    lambda drawn: replace(request_of(drawn[0]), facts=drawn[1])
)
_NUMBER = st.sampled_from(
    [
        "input.request.max_tokens",
        "input.request.n",
        'input["request"]["message_count"]',
        "count(input.request.tools)",
        'object.get(input.request, "n", 0)',
        "helper",
        "twice(input.request.n)",
        "part.message_count",
        "chosen",
        "input.request[input.request.tool_choice]",
        'count([v | walk(input.request, [_, v]); v == "a"])',
        "count({r | some r in input.request.roles})",
        "1",
    ],
)
_TEXT = st.sampled_from(
    [
        "input.subject.id",
        "input.request.tools[_]",
        "input.request.roles[0]",
        "input.request.tool_choice",
        "input.access.effect",
        'concat("", input.subject.groups)',
        '$"{input.request.stream}"',
        '"a"',
    ],
)
_CONDITION = st.one_of(
    st.builds("{} {} {}".format, _NUMBER, st.sampled_from(["<", "==", ">="]), _NUMBER),
    st.builds("{} {} {}".format, _TEXT, st.sampled_from(["==", "<"]), _TEXT),
    st.builds("not low({})".format, _NUMBER),
    st.builds('not {} == "a"'.format, _TEXT.filter(lambda text: "[_]" not in text)),
    st.just('every t in input.request.tools { t == "a" }'),
    st.just("some input.subject.id in {v | v := input.request[_]}"),
    st.just("input.request.stream"),
)
_HELPERS = """
helper := input.request.n if input.request.stream else := input.request.message_count
twice(n) := n * input.request.message_count
part := input.request
names := ["n", "message_count"]
chosen := input.request[names[input.request.n - 1]]
low(n) if n < 2
"""
_MODULE = st.lists(st.lists(_CONDITION, min_size=1, max_size=2), min_size=1, max_size=2)


def _document(number: int, rules: list[list[str]]) -> bytes:
    written = _HELPERS + "".join(f'deny contains "x" if {{ {"; ".join(rule)} }}\n' for rule in rules)
    rows = "".join(f"    {row}\n" for row in f"package gatehouse.guard.g{number}\n{written}".splitlines())
    return f'kind: guard\nid: g{number}\nversion: "1"\nspec:\n  reasons: {{x: No.}}\n  module: |\n{rows}'.encode()


Question = tuple[EvaluationRequest, EngineAnswer]


@dataclass
class One:
    """The guard at one place of answers that are there already, as an engine of its own."""

    place: int
    answers: Sequence[tuple[Question, EngineAnswer]]

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        (said,) = (said for asked, said in self.answers if asked[0] is request and asked[1] is access)
        return replace(said, answers=(said.answers[self.place],))

    async def close(self) -> None:
        return


@pytest.mark.opa
@pytest.mark.timeout(1800)  # of the deep profile
@settings(
    max_examples=max(3, settings().max_examples // 10),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    modules=st.lists(_MODULE, min_size=12, max_size=12),
    requests=st.lists(_REQUESTS, min_size=30, max_size=30),
)
async def test_a_reused_answer_is_what_opa_says(opa_binary, modules, requests) -> None:
    files = {f"g{number}.yaml": _document(number, rules) for number, rules in enumerate(modules)}
    documents = load_documents({**BASE, **files})
    snapshot = compile_release(documents, tenant="default", environment="production", opa_binary=str(opa_binary))
    said = await _ask(opa_binary, snapshot, list(product(map(replace, requests), (ALLOWED, NOTHING_APPLIED))))
    for place, guard in enumerate(sorted(snapshot.guards, key=lambda guard: guard.id)):
        reused = reusing(One(place, said), replace(snapshot, guards=(guard,)))
        assert isinstance(reused, ReusedGuard)
        for (request, access), want in said:
            assert (await reused.evaluate(request, access)).answers == (want.answers[place],), guard.module


async def _ask(
    binary: Path, snapshot: PolicySnapshot, questions: Sequence[Question]
) -> list[tuple[Question, EngineAnswer]]:
    with tempfile.TemporaryDirectory() as folder:
        process = OpaProcess(binary=binary, folder=Path(folder))
        process.write(snapshot)
        process.start()
        opa = OpaGuard(snapshot, manifest_revision=GUARD_REVISION, address=str(process.socket), deadline_s=10)
        try:
            return [(question, await opa.evaluate(*question)) for question in questions]
        finally:
            await opa.close()
            process.kill()
