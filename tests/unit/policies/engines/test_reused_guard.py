# SPDX-License-Identifier: Apache-2.0
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest, Properties
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.reused_guard import ReusedGuard, reusing
from tests.contract.guards import ALLOWED, NOTHING_APPLIED, guard, request_of, snapshot_of


class Asked:
    """A guard engine that answers with how often it was asked, and fails while it has a problem."""

    def __init__(self, outcome: Outcome = Outcome.ALLOW) -> None:
        self.times = 0
        self.problem: Exception | None = None
        self.closed = False
        self._outcome = outcome

    async def evaluate(self, _request: EvaluationRequest, _access: EngineAnswer) -> EngineAnswer:
        self.times += 1
        if self.problem is not None:
            raise self.problem
        answer = PolicyAnswer(policy="request-caps", mode=Mode.ENFORCE, outcome=self._outcome)
        return EngineAnswer(engine="opa", answers=(answer,), duration_us=300, provenance=f"asked-{self.times}")

    async def close(self) -> None:
        self.closed = True


def snapshot_reading(*reads: str) -> PolicySnapshot:
    return snapshot_of(replace(guard(), reads=reads))


async def times_asked(reads: tuple[str, ...], *requests: EvaluationRequest) -> int:
    engine = Asked()
    reused = reusing(engine, snapshot_reading(*reads))
    for request in requests:
        await reused.evaluate(request, ALLOWED)
    return engine.times


ONE = request_of(max_tokens=1, tools=("a",), roles=("user",))
LATER = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ONE, id="the-same"),
        pytest.param(replace(ONE, request_id="req_2", at=LATER), id="later"),
        pytest.param(replace(ONE, facts=replace(ONE.facts, tools=("b",))), id="another-in-what-it-does-not-read"),
        pytest.param(request_of("bob", max_tokens=1), id="somebody-else-where-it-does-not-read-who"),
    ],
)
async def test_reuses_an_answer_that_cannot_be_another(other) -> None:
    engine = Asked()
    reused = reusing(engine, snapshot_reading("request.max_tokens"))
    first, second = await reused.evaluate(ONE, ALLOWED), await reused.evaluate(other, ALLOWED)
    assert (first.reused, first.duration_us) == (False, 300)
    assert second == replace(first, reused=True, duration_us=0)
    assert engine.times == 1


def facts(**changes: object) -> EvaluationRequest:
    return replace(ONE, facts=replace(ONE.facts, **changes))


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        pytest.param("request.max_tokens", facts(max_tokens=1), facts(max_tokens=2), id="number"),
        pytest.param("request.max_tokens", facts(max_tokens=1), facts(max_tokens=True), id="one-and-true"),
        pytest.param("request.max_tokens", facts(max_tokens=0), facts(max_tokens=False), id="zero-and-false"),
        pytest.param("request.max_tokens", facts(max_tokens=1), facts(max_tokens=1.0), id="one-and-one-point-nought"),
        pytest.param("request.max_tokens", facts(max_tokens=0), facts(max_tokens=None), id="zero-and-null"),
        pytest.param("request.tool_choice", facts(tool_choice=None), facts(tool_choice="null"), id="null-and-its-text"),
        pytest.param("request.tools", facts(tools=("a", "b")), facts(tools=("a,b",)), id="two-names-and-a-comma"),
        pytest.param("request.tools", facts(tools=("a", "b")), facts(tools=('a","b',)), id="two-names-and-a-quote"),
        pytest.param("request.tools", facts(tools=("a", "b")), facts(tools=("b", "a")), id="another-order"),
        pytest.param("request.tools", facts(tools=()), facts(tools=("",)), id="no-name-and-an-empty-one"),
        pytest.param("request.tools", facts(tools=("é",)), facts(tools=("e\u0301",)), id="two-ways-to-write-a-letter"),
        pytest.param("request.tools.0", facts(tools=("a",)), facts(tools=("b",)), id="within-a-field"),
        pytest.param("request", facts(n=1), facts(n=2), id="a-part-of-input"),
        pytest.param("subject", request_of("alice"), request_of("bob"), id="who"),
        pytest.param("subject.groups", request_of("alice"), request_of("bob"), id="groups"),
    ],
)
async def test_asks_again_where_what_is_read_differs(path, one, other) -> None:
    assert await times_asked((path,), one, other, one, other) == 2


@pytest.mark.parametrize("path", ["resource.properties.status", "resource", "resource.properties"])
async def test_asks_again_where_another_enforcement_point_says_something_else(path) -> None:
    said = [Properties(subject={}, action={}, resource={"status": one}, context={}) for one in ("active", "archived")]
    asked = [request_of(), *(replace(request_of(), properties=one) for one in said)]
    assert await times_asked((path,), *asked, *asked) == 3


async def test_asks_again_where_a_value_stands_in_another_field() -> None:
    one, other = facts(n=1, message_count=2), facts(n=2, message_count=1)
    assert await times_asked(("request.n", "request.message_count"), one, other) == 2


async def test_asks_again_where_access_differs() -> None:
    engine = Asked()
    reused = reusing(engine, snapshot_reading("access.effect"))
    await reused.evaluate(ONE, ALLOWED)
    await reused.evaluate(ONE, NOTHING_APPLIED)
    assert engine.times == 2


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(facts(tools=("\ud83d\ude00",)), id="a-lone-surrogate"),
        pytest.param(facts(tools=("a",), n=2**70), id="an-integer-beyond-64-bits"),
        pytest.param(facts(tools=("x" * 1_000_000,)), id="a-megabyte"),
        pytest.param(facts(tools=tuple(f"tool-{number}" for number in range(1000))), id="a-thousand-names"),
    ],
)
async def test_asks_each_time_what_has_no_small_exact_form(asked) -> None:
    assert await times_asked(("request",), asked, asked) == 2


async def test_a_failure_is_not_remembered() -> None:
    engine = Asked()
    reused = reusing(engine, snapshot_reading("request.n"))
    engine.problem = EvaluationFailed("opa", "gone")
    with pytest.raises(EvaluationFailed):
        await reused.evaluate(ONE, ALLOWED)
    engine.problem = None
    assert (await reused.evaluate(ONE, ALLOWED)).reused is False


async def test_after_a_failure_everything_is_asked_until_there_is_an_answer() -> None:
    engine = Asked()
    reused = reusing(engine, snapshot_reading("request.n"))
    await reused.evaluate(facts(n=1), ALLOWED)
    engine.problem = EvaluationFailed("opa", "late")
    for asked in (facts(n=2), facts(n=1)):
        with pytest.raises(EvaluationFailed):
            await reused.evaluate(asked, ALLOWED)
    engine.problem = None
    await reused.evaluate(facts(n=3), ALLOWED)
    assert (await reused.evaluate(facts(n=1), ALLOWED)).reused is True


async def test_nothing_is_reused_of_an_engine_that_is_gone() -> None:
    engine, there = Asked(), [True]
    reused = reusing(engine, snapshot_reading("request.n"), is_there=lambda: there[0])
    await reused.evaluate(ONE, ALLOWED)
    there[0] = False
    engine.problem = EvaluationFailed("opa", "gone")
    with pytest.raises(EvaluationFailed):
        await reused.evaluate(ONE, ALLOWED)


async def test_an_answer_with_an_error_is_not_remembered() -> None:
    engine = Asked(Outcome.ERROR)
    reused = reusing(engine, snapshot_reading("request.n"))
    await reused.evaluate(ONE, ALLOWED)
    await reused.evaluate(ONE, ALLOWED)
    assert engine.times == 2


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(snapshot_of(), id="no-guard"),
        pytest.param(snapshot_of(guard()), id="a-guard-that-may-not-be-reused"),
        pytest.param(
            snapshot_of(replace(guard(), reads=("request.n",)), guard(name="other")), id="one-of-two-may-not-be"
        ),
        # What no compiler of ours writes.
        pytest.param(snapshot_reading("context"), id="the-time-among-what-is-read"),
        pytest.param(snapshot_reading(""), id="everything-is-read"),
    ],
)
def test_stands_in_front_of_no_other_engine(snapshot) -> None:
    engine = Asked()
    assert reusing(engine, snapshot) is engine


async def test_what_all_guards_read_counts() -> None:
    engine = Asked()
    guards = replace(guard(), reads=("request.n",)), replace(guard(name="other"), reads=("request.stream",))
    reused = reusing(engine, snapshot_of(*guards))
    for asked in (facts(n=1), facts(n=2), facts(n=2, stream=True)):
        await reused.evaluate(asked, ALLOWED)
    assert engine.times == 3


async def test_forgets_what_was_not_asked_for_longest() -> None:
    engine = Asked()
    reused = ReusedGuard(engine, snapshot_reading("request.n"), paths=frozenset({"request.n"}), most_answers=2)
    for number in (1, 2, 1, 3):  # 2 is the one that was not asked for longest when 3 comes
        await reused.evaluate(facts(n=number), ALLOWED)
    assert (await reused.evaluate(facts(n=1), ALLOWED)).reused is True
    assert (await reused.evaluate(facts(n=2), ALLOWED)).reused is False


async def test_does_not_grow_beyond_its_bytes() -> None:
    engine = Asked()
    reused = ReusedGuard(engine, snapshot_reading("request.tools"), paths=frozenset({"request.tools"}), most_bytes=9000)
    for number in range(20):
        await reused.evaluate(facts(tools=(f"{number:03000}",)), ALLOWED)
    kept = [(await reused.evaluate(facts(tools=(f"{n:03000}",)), ALLOWED)).reused for n in (18, 19, 17)]
    assert kept == [True, True, False]


async def test_takes_no_more_memory_than_it_counts() -> None:
    """orjson's bytes keep the buffer they were written in, some KiB for a key of ten."""
    reused = ReusedGuard(Asked(), snapshot_reading("request.n"), paths=frozenset({"request.n"}))
    requests = [facts(n=1_000_000 + number) for number in range(500)]
    await reused.evaluate(ONE, ALLOWED)
    tracemalloc.start()
    try:
        before, counted = tracemalloc.get_traced_memory()[0], reused._bytes
        for request in requests:
            await reused.evaluate(request, ALLOWED)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= reused._bytes - counted


async def test_a_reused_answer_needs_no_waiting() -> None:
    reused = reusing(Asked(), snapshot_reading("request.n"))
    await reused.evaluate(ONE, ALLOWED)
    with pytest.raises(StopIteration) as done:
        reused.evaluate(ONE, ALLOWED).send(None)
    assert done.value.value.reused is True


async def test_closes_the_engine() -> None:
    engine = Asked()
    await reusing(engine, snapshot_reading("request.n")).close()
    assert engine.closed
