# SPDX-License-Identifier: Apache-2.0
"""The table of hooks: what is no hook is an error at start, and what fails in one is known to the layer."""

import pytest
from mitmproxy import http
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from proxy_addons.http1.hooks import HookTable, MisspeltHook


def hook() -> HttpRequestHook:
    return HttpRequestHook(tflow.tflow())


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
    assert table.run_inline(hook()) is True
    assert called == [1, 2]


def test_a_hook_that_nobody_has_does_not_fail():
    assert HookTable([]).run_inline(hook()) is False


def test_an_awaitable_from_a_plain_method_is_a_failure():
    async def nothing():
        pass

    given = nothing()
    assert HookTable([addon(lambda _self, _flow: given)]).run_inline(hook()) is True
    given.close()


def test_an_intercepted_flow_is_a_failure():
    assert HookTable([addon(lambda _self, flow: flow.intercept())]).run_inline(hook()) is True


@pytest.mark.parametrize("fails", [False, True])
async def test_coroutines_are_awaited_and_their_failure_known(fails):
    done = []

    async def request(self, flow):
        done.append(True)
        if fails:
            raise RuntimeError("secret")

    table = HookTable([addon(request)])
    assert table.awaits("request")
    assert await table.run(hook()) is fails
    assert done == [True]


def test_an_addon_that_raises_is_named_and_its_text_is_not(capsys):
    def request(self, flow):
        raise RuntimeError("secret")

    HookTable([addon(request)]).run_inline(hook())
    told = capsys.readouterr()
    assert "enforcement_failed" in told.out + told.err
    assert "secret" not in told.out + told.err
