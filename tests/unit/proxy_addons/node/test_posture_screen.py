# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from proxy_addons.node import posture_screen
from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_screen import check_screen
from proxy_addons.screen_settings import ScreenSettings
from proxy_addons.upstreams_file import UpstreamSettings
from tests.fake_screen import FakeScreen

BUNDLE = SimpleNamespace(path="bundle")


@pytest.fixture
def policies(monkeypatch):
    """What the policy in force has; a test adds to it."""
    given = []
    prepared = SimpleNamespace(snapshot=SimpleNamespace(screening=given))
    monkeypatch.setattr(posture_screen, "read_prepared", lambda _: prepared)
    return given


def at(url):
    return ScreenSettings(
        origin=UpstreamSettings(url=url, ca_file=None, cert_file=None, key_file=None, api_key_file=None)
    )


async def test_where_no_rule_asks_it_is_skipped(policies):
    policies.append(SimpleNamespace(classifier=()))
    assert await check_screen(None, BUNDLE) == Found(Outcome.SKIPPED, "not-asked-for")


async def test_a_node_without_one_is_found(policies):
    policies.append(SimpleNamespace(classifier=("a rule",)))
    assert await check_screen(None, BUNDLE) == Found(Outcome.FAILED, "not-set-up")


async def test_one_that_answers_passes_and_one_that_does_not_is_found(policies):
    policies.append(SimpleNamespace(classifier=("a rule",)))
    async with FakeScreen() as screen:
        assert await check_screen(at(screen.url), BUNDLE) == Found(Outcome.PASSED, "answers")
        screen.status = 503
        assert await check_screen(at(screen.url), BUNDLE) == Found(Outcome.FAILED, "refused")
