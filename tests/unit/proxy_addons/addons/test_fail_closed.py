# SPDX-License-Identifier: Apache-2.0
import pytest
from mitmproxy.test import tflow

from policies.contracts.decision import Verdict
from policies.contracts.errors import EvaluationFailed
from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import Hook
from proxy_addons.core.exchange import EXCHANGE, Exchange
from tests.unit.proxy_addons.harness import NOW


class Enforcer:
    def feed(self, piece, /):
        return piece

    def finish(self):
        return b""

    def abort(self, code, /):
        return code.encode()


def flow_with(*, stream=None):
    flow = tflow.tflow(resp=True)
    flow.response.stream = stream or False
    flow.metadata[EXCHANGE] = Exchange(request_id="req_1", received_at=NOW, started_ns=0)
    return flow


class Addon:
    def __init__(self, problem):
        self.problem = problem

    @fail_closed(Hook.RESPONSE)
    def response(self, flow):
        raise self.problem

    @fail_closed(Hook.REQUEST)
    async def request(self, flow):
        raise self.problem

    @fail_closed(Hook.RESPONSEHEADERS)
    def responseheaders(self, flow):
        return self._waits()

    async def _waits(self):
        raise self.problem


@pytest.mark.parametrize(
    ("problem", "want"),
    [
        (ValueError("secret"), "policy-unavailable"),
        (EvaluationFailed("opa", "late"), "evaluation-failed"),
        (RecursionError(), "policy-unavailable"),
        (MemoryError(), "policy-unavailable"),
    ],
)
async def test_exception_is_a_refusal_and_its_text_is_not_logged(problem, want, capsys):
    for hook in ("response", "request", "responseheaders"):
        flow = flow_with()
        result = getattr(Addon(problem), hook)(flow)
        if hook != "response":
            await result
        exchange = flow.metadata[EXCHANGE]
        assert (flow.response.status_code, exchange.refusal.code, exchange.verdict) == (503, want, Verdict.BLOCKED)
    logged = capsys.readouterr()
    assert "enforcement_failed" in logged.out + logged.err
    assert "secret" not in logged.out + logged.err


def test_stream_under_way_is_cut_instead():
    flow = flow_with(stream=Enforcer())
    answer = flow.response
    Addon(ValueError()).response(flow)
    exchange = flow.metadata[EXCHANGE]
    assert flow.response is answer
    assert (exchange.refusal.code, exchange.verdict) == ("policy-unavailable", Verdict.CUT)


def test_misspelt_hook_is_found_when_the_module_is_loaded():
    with pytest.raises(TypeError):
        fail_closed(Hook.RESPONSE)(lambda addon, flow: None)


def test_every_hook_of_every_addon_is_guarded():
    from tests.unit.proxy_addons.harness import ready_harness

    hooks = [
        (type(addon).__name__, hook)
        for addon in ready_harness().addons
        for hook in Hook
        if (method := getattr(addon, hook, None)) is not None and not hasattr(method, "__wrapped__")
    ]
    assert hooks == []


def test_every_public_method_of_every_addon_is_a_hook_or_declared():
    from proxy_addons.http1.hooks import HookTable
    from tests.unit.proxy_addons.harness import ready_harness

    table = HookTable(ready_harness().addons)
    assert all(hook in table for hook in Hook)
