# SPDX-License-Identifier: Apache-2.0
"""When texts make no difference to what a replay says, and when nobody can say."""

import pytest

from controlplane.replays.comparison import Judged
from controlplane.replays.text_rules import is_settled
from policies.contracts.decision import Effect

ALLOW, DENY = Judged(effect=Effect.ALLOW), Judged(effect=Effect.DENY)
NONE, ONE, OTHER = frozenset(), frozenset({"one"}), frozenset({"other"})


@pytest.mark.parametrize(
    ("was", "now", "was_rules", "now_rules", "settled"),
    [
        pytest.param(ALLOW, ALLOW, NONE, NONE, (True, True), id="no rules on either side"),
        pytest.param(ALLOW, ALLOW, ONE, ONE, (True, True), id="the same"),
        pytest.param(ALLOW, ALLOW, NONE, ONE, (False, False), id="a new one"),
        pytest.param(ALLOW, ALLOW, None, ONE, (False, False), id="not known"),
        pytest.param(ALLOW, ALLOW, OTHER, ONE, (False, False), id="others"),
        pytest.param(DENY, ALLOW, ONE, ONE, (False, False), id="refused before any text was looked at"),
        pytest.param(DENY, ALLOW, ONE, NONE, (True, True), id="newly allowed"),
        pytest.param(ALLOW, ALLOW, ONE, NONE, (True, False), id="none any more"),
        pytest.param(ALLOW, DENY, ONE, ONE, (True, False), id="a baseline that may have refused it, too"),
        pytest.param(DENY, DENY, ONE, OTHER, (True, True), id="refused by both, texts aside"),
    ],
)
def test_when_texts_make_no_difference(was, now, was_rules, now_rules, settled):
    said = {"was_rules": was_rules, "now_rules": now_rules}
    assert tuple(is_settled(was, now, is_on_record=on_record, **said) for on_record in (True, False)) == settled
