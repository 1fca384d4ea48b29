# SPDX-License-Identifier: Apache-2.0
"""The table of hooks: what is no hook is an error at start, and what fails in one is known to the layer."""

import asyncio

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from proxy_addons.http1.hooks import HookTable, MisspeltHook


def addon(method) -> object:
    return type("Addon", (), {"request": method})()


class Misspelt:
    def responce(self, flow: http.HTTPFlow) -> None: ...


class Declared:
    NOT_HOOKS = frozenset({"activate"})

    def activate(self) -> None: ...


def test_a_misspelt_hook_is_an_error_at_start():
    with pytest.raises(MisspeltHook, match=r"Misspelt\.responce"):
        HookTable([Misspelt()])


def test_a_public_method_that_is_declared_is_no_hook():
    assert "activate" not in HookTable([Declared()])


def test_addons_are_called_in_their_order_and_no_further_after_one_failed():
    called = []

    def notes(number, problem=None):
        def request(self, flow):
            called.append(number)
            if problem:
                raise problem

        return addon(request)

    table = HookTable([notes(1), notes(2, RuntimeError()), notes(3)])
    assert table.start("request", tflow.tflow()) is True
    assert called == [1, 2]


def test_a_hook_that_nobody_has_does_not_fail():
    assert HookTable([]).start("request", tflow.tflow()) is False


@pytest.mark.parametrize("fails", [False, True])
async def test_an_awaitable_from_a_plain_method_is_waited_for(fails):
    called = []

    async def waits():
        await asyncio.sleep(0)
        called.append(1)
        if fails:
            raise RuntimeError("secret")

    last = addon(lambda _self, _flow: called.append(2))
    task = HookTable([addon(lambda _self, _flow: waits()), last]).start("request", tflow.tflow())
    assert called == []
    assert await task is fails
    assert called == ([1] if fails else [1, 2])


def test_an_intercepted_flow_is_a_failure():
    assert HookTable([addon(lambda _self, flow: flow.intercept())]).start("request", tflow.tflow()) is True


@pytest.mark.parametrize("fails", [False, True])
async def test_coroutines_are_awaited_and_their_failure_known(fails):
    done = []

    async def request(self, flow):
        done.append(True)
        if fails:
            raise RuntimeError("secret")

    table = HookTable([addon(request)])
    assert table.start("request", tflow.tflow()) is fails
    assert done == [True]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_hook_that_waits_goes_on_in_a_task(fails):
    async def request(self, flow):
        await asyncio.sleep(0)
        if fails:
            raise RuntimeError("secret")

    task = HookTable([addon(request)]).start("request", tflow.tflow())
    assert isinstance(task, asyncio.Task)
    assert await task is fails


async def test_a_hook_that_is_cancelled_before_it_waits_failed():
    async def request(self, flow):
        raise asyncio.CancelledError

    assert HookTable([addon(request)]).start("request", tflow.tflow()) is True


def test_an_addon_that_raises_is_named_and_its_text_is_not(capsys):
    def request(self, flow):
        raise RuntimeError("secret")

    HookTable([addon(request)]).start("request", tflow.tflow())
    told = capsys.readouterr()
    assert "enforcement_failed" in told.out + told.err
    assert "secret" not in told.out + told.err
