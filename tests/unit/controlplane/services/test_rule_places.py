# SPDX-License-Identifier: Apache-2.0
"""Where rules stand in the sources of a release."""

from controlplane.services.rule_places import RulePlaces
from tests.control_planes import ACCESS
from tests.unit.controlplane.services.test_replays import CAPS

PLACES = RulePlaces.of({"access.yaml": ACCESS.encode(), "caps.yaml": CAPS.encode(), "old.yaml": b"kind: gone\n"})


def test_a_grant_stands_where_it_is_written():
    source = PLACES.source("chat-access", "staff-chat")
    assert (source["file"], source["line"]) == ("access.yaml", 8)
    assert source["text"].startswith("- {id: staff-chat")


def test_a_guards_reason_stands_where_its_module_gives_it():
    source = PLACES.source("caps", "too-many")
    assert (source["file"], source["line"]) == ("caps.yaml", 8)
    assert source["text"] == 'deny contains "too-many" if input.request.max_tokens > 100'


def test_what_has_no_place_stands_where_its_policy_does_or_nowhere():
    assert PLACES.source("caps", "another")["line"] == 1
    assert PLACES.source("gone", "x") is None
