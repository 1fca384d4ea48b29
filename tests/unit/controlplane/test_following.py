# SPDX-License-Identifier: Apache-2.0
"""What decides follows what is in force: by one snapshot at a time, and not for ever by one that is not in force."""

import asyncio

import pytest

from controlplane import following
from controlplane.following import Following
from controlplane.services.errors import NotFound, StoreUnavailable, Unready
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from policies.contracts.snapshot import PolicySnapshot

EMBEDDED = RegoEngines(nodes=GuardEngineName.EMBEDDED, opa_binary=None)
SCOPE = ("default", "production")


class Stored:
    """What is in force, as a test has it."""

    def __init__(self) -> None:
        self.head = {SCOPE: (1, 1, 0)}
        self.problem: Exception | None = None
        self.names: frozenset[str] = frozenset()
        self.built: list[int] = []

    def heads(self):
        if isinstance(self.problem, StoreUnavailable):
            raise self.problem
        return self.head

    def snapshot(self, scope, serial):
        self.built.append(serial)
        if self.problem is not None:
            raise self.problem
        return PolicySnapshot(tenant=scope[0], environment=scope[1], groups={})

    def blocked(self, _scope):
        return self.names


@pytest.fixture
async def stored_and_following():
    stored = Stored()
    made = Following(in_force=stored, rego=EMBEDDED)
    yield stored, made
    await made.end()


async def until_serial(made: Following, serial: int) -> None:
    async with asyncio.timeout(5):
        while (await made.what_decides(SCOPE))[0].serial != serial:
            await asyncio.sleep(0.01)


async def test_it_turns_to_what_is_put_to_work(stored_and_following):
    stored, made = stored_and_following
    first, _ = await made.what_decides(SCOPE)
    stored.head = {SCOPE: (2, 1, 0)}
    await until_serial(made, 2)
    assert stored.built == [1, 2]
    assert first.is_retired


async def test_many_who_ask_at_once_build_it_once(stored_and_following):
    stored, made = stored_and_following
    found = await asyncio.gather(*(made.what_decides(SCOPE) for _ in range(30)))
    assert len({id(evaluator) for evaluator, _ in found}) == 1
    assert stored.built == [1]


@pytest.mark.parametrize("head", [(1, 2, 0), (1, 1, 1)], ids=["credentials", "whatever-comes-behind-them"])
async def test_who_is_blocked_is_known_with_the_next_epoch(stored_and_following, head):
    stored, made = stored_and_following
    assert (await made.what_decides(SCOPE))[1] == frozenset()
    stored.names, stored.head = frozenset({"user:bob"}), {SCOPE: head}
    made.forget_what_was_seen()
    assert (await made.what_decides(SCOPE))[1] == {"user:bob"}


async def test_what_cannot_be_built_is_decided_by_the_one_before_for_some_time_and_then_by_nobody(
    stored_and_following, monkeypatch
):
    stored, made = stored_and_following
    first, _ = await made.what_decides(SCOPE)
    stored.problem, stored.head = ValueError("altered"), {SCOPE: (2, 1, 0)}
    made.forget_what_was_seen()
    assert (await made.what_decides(SCOPE))[0] is first
    monkeypatch.setattr(following, "_BEHIND_FOR_S", 0.0)
    await asyncio.sleep(0.01)
    with pytest.raises(Unready):
        await made.what_decides(SCOPE)
    monkeypatch.setattr(following, "_BUILD_AGAIN_AFTER_S", 0.0)
    stored.problem = None
    await made.what_decides(SCOPE)
    await until_serial(made, 2)


async def test_what_cannot_be_built_at_first_is_not_tried_for_each_question(stored_and_following):
    stored, made = stored_and_following
    stored.problem = LookupError("gone")
    for _ in range(5):
        with pytest.raises(Unready):
            await made.what_decides(SCOPE)
    assert stored.built == [1]


@pytest.mark.parametrize(
    ("head", "want"), [({}, NotFound), ({SCOPE: (0, 0, 0)}, NotFound)], ids=["no-environment", "nothing-in-force"]
)
async def test_where_nothing_is_in_force_nothing_decides(stored_and_following, head, want):
    stored, made = stored_and_following
    stored.head = head
    with pytest.raises(want):
        await made.what_decides(SCOPE)


async def test_a_store_that_does_not_answer_is_no_old_answer(stored_and_following):
    stored, made = stored_and_following
    await made.what_decides(SCOPE)
    stored.problem = StoreUnavailable("down")
    made.forget_what_was_seen()
    with pytest.raises(StoreUnavailable):
        await made.what_decides(SCOPE)
    stored.problem = None
    await made.what_decides(SCOPE)


async def test_the_longest_unused_gives_its_place(stored_and_following, monkeypatch):
    stored, made = stored_and_following
    monkeypatch.setattr(following, "_MOST_EVALUATORS", 2)
    scopes = [("default", f"e{n}") for n in range(3)]
    stored.head = dict.fromkeys(scopes, (1, 1, 0))
    opened = [(await made.what_decides(scope))[0] for scope in scopes]
    await asyncio.sleep(0.01)
    assert [evaluator.is_retired for evaluator in opened] == [True, False, False]
