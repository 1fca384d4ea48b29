# SPDX-License-Identifier: Apache-2.0
"""What both halves of a turn stand on, seen through a layer without sockets."""

import pytest

from tests.layer_rig import AllowAll, error_code, request, status
from tests.sans_io import Talk

HOOKS = ["requestheaders", "request", "responseheaders", "response"]


@pytest.mark.parametrize("reply", [None, True, 0, ""], ids=repr)
@pytest.mark.parametrize("hook", HOOKS)
def test_only_a_reply_of_false_says_that_a_hook_did_not_fail(hook, reply):
    talk = Talk(AllowAll())
    talk.hooks_wait = hook
    talk.receive(request())
    if talk.calls:
        talk.answer()
    talk.hooks_wait = False
    talk.complete(failed=reply)
    assert error_code(talk.answers) == "policy-unavailable"


@pytest.mark.parametrize("hook", HOOKS)
def test_an_addon_that_kills_the_flow_refuses_it(hook):
    addon = type("Kills", (), {hook: lambda _self, flow: flow.kill()})()
    talk = Talk(AllowAll(), addon)
    talk.receive(request())
    if talk.calls:
        talk.answer()
    assert (status(talk.sent), error_code(talk.answers)) == (503, "policy-unavailable")


def test_the_flow_is_live_until_its_turn_is_over():
    talk = Talk(addon := AllowAll())
    talk.receive(request(close=False))
    assert addon.flows[0].live
    talk.answer()
    assert not addon.flows[0].live
