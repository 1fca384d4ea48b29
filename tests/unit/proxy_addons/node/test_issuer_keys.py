# SPDX-License-Identifier: Apache-2.0
"""When keys are fetched, what is kept of them, and what workers are given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policies.contracts.identity import Issuer
from proxy_addons.clients.issuers import IssuerUnavailable
from proxy_addons.core.issuer_keys import IssuerKey, from_bytes, read_jwks
from proxy_addons.node import issuer_keys
from proxy_addons.node.issuer_keys import IssuerKeeper
from tests.tokens import EC, NOW, RSA, URL, issuer, jwks

OTHER = "https://other.example"


@dataclass
class Provider:
    """Gives `keys`, or fails; `asked` are the issuers it was asked about."""

    keys: dict[str, Any] = field(default_factory=lambda: {"rsa-1": RSA})
    failing: bool = False
    asked: list[str] = field(default_factory=list)

    async def fetch(self, asked: Issuer) -> tuple[IssuerKey, ...]:
        self.asked.append(asked.issuer)
        if self.failing:
            raise IssuerUnavailable("status-500")
        return read_jwks(jwks(self.keys))


@dataclass
class Rig:
    path: Path
    provider: Provider = field(default_factory=Provider)
    given: list[int] = field(default_factory=list)
    age_s: int = 0

    def keeper(self) -> IssuerKeeper:
        return IssuerKeeper(
            self.path,
            fetch=self.provider.fetch,
            hand_over=lambda _path, generation: self.given.append(generation),
            clock=lambda: NOW + timedelta(seconds=self.age_s),
        )

    def kids(self) -> dict[str, list[str]]:
        return {each.issuer: [key.kid for key in each.keys] for each in from_bytes(self.path.read_bytes())}


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "issuer-keys.json")


@asynccontextmanager
async def running(keeper: IssuerKeeper) -> AsyncIterator[None]:
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        task.cancel()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


async def test_the_keys_of_every_issuer_are_fetched_kept_and_given(rig):
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer(), issuer(id="b", issuer=OTHER)])
        await until(lambda: rig.given == [1])
    assert rig.kids() == {URL: ["rsa-1"], OTHER: ["rsa-1"]}
    assert [(each["id"], each["keys"], each["usable"], each["problem"]) for each in keeper.to_json()] == [
        ("corp", 1, True, ""),
        ("b", 1, True, ""),
    ]


async def test_an_unknown_key_is_asked_for_at_most_every_so_often(rig, monkeypatch):
    monkeypatch.setattr(issuer_keys, "_LEAST_PERIOD_S", 0.2)
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer()])
        await until(lambda: rig.given == [1])
        rig.provider.keys = {"ec-1": EC}
        for _ in range(50):
            keeper.unknown_key(URL)
        keeper.unknown_key("https://evil.example")
        assert rig.provider.asked == [URL]
        await until(lambda: rig.given == [1, 2])
        await asyncio.sleep(0.05)
    assert rig.provider.asked == [URL, URL]
    assert rig.kids() == {URL: ["ec-1"]}


async def test_a_failure_keeps_what_there_is_and_is_tried_again(rig, monkeypatch):
    monkeypatch.setattr(issuer_keys, "_REFRESH_S", 0.05)
    monkeypatch.setattr(issuer_keys, "_FIRST_RETRY_S", 0.01)
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer(max_key_age_s=600)])
        await until(lambda: rig.given == [1])
        rig.provider.failing = True
        await until(lambda: keeper.to_json()[0]["problem"] == "status-500")
        asked = len(rig.provider.asked)
        await until(lambda: len(rig.provider.asked) > asked + 2)
        assert keeper.to_json()[0]["usable"] is True
        rig.age_s = 600
        assert keeper.to_json()[0]["usable"] is False
        assert rig.given[-1] == len(rig.given)
        assert rig.kids() == {URL: ["rsa-1"]}
        rig.provider.failing = False
        await until(lambda: keeper.to_json()[0]["usable"] is True)


async def test_no_mistake_in_reading_an_issuer_ends_the_node(rig):
    async def mistaken(_issuer: Issuer) -> tuple[IssuerKey, ...]:
        raise ZeroDivisionError

    rig.provider.fetch = mistaken
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer()])
        await until(lambda: bool(keeper.to_json()[0]["problem"]))
    assert keeper.to_json()[0]["problem"] == "ZeroDivisionError"


async def test_keys_of_before_are_given_at_a_start(rig):
    first = rig.keeper()
    async with running(first):
        first.watch([issuer()])
        await until(lambda: rig.given == [1])
    rig.provider.failing = True
    second = rig.keeper()
    await second.resume()
    assert rig.given == [1, 1]
    async with running(second):
        second.watch([issuer()])
        await until(lambda: bool(second.to_json()[0]["problem"]))
        assert second.to_json()[0]["keys"] == 1


async def test_keys_of_another_place_are_not_kept_for_this_one(rig):
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer()])
        await until(lambda: rig.given == [1])
        rig.provider.failing = True
        keeper.watch([issuer(jwks="https://login.example.com/keys")])
        await until(lambda: bool(keeper.to_json()[0]["problem"]))
    assert keeper.to_json()[0]["keys"] == 0


async def test_an_issuer_that_left_the_policy_is_asked_no_more(rig, monkeypatch):
    monkeypatch.setattr(issuer_keys, "_REFRESH_S", 0.02)
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer()])
        await until(lambda: len(rig.provider.asked) > 2)
        keeper.watch([])
        await asyncio.sleep(0.05)
        asked = len(rig.provider.asked)
        keeper.unknown_key(URL)
        await asyncio.sleep(0.1)
    assert len(rig.provider.asked) == asked
    assert keeper.to_json() == []


async def test_a_file_that_went_bad_is_no_obstacle(rig):
    rig.path.write_bytes(b"{")
    keeper = rig.keeper()
    await keeper.resume()
    assert rig.given == []


async def test_a_disk_that_is_full_leaves_workers_the_keys_they_have(rig, monkeypatch):
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(issuer_keys, "write_durably", full)
    keeper = rig.keeper()
    async with running(keeper):
        keeper.watch([issuer()])
        await until(lambda: bool(rig.provider.asked))
        await asyncio.sleep(0.05)
    assert rig.given == []
