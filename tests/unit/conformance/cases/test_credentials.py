# SPDX-License-Identifier: Apache-2.0
"""The rows of a key that was lost ask with that key, and are skipped where the operator named none."""

import pytest

from conformance.case import LostKey, Target
from conformance.cases.credentials import CREDENTIAL_CASES
from conformance.runner import Trial, Verdict, run

LOST = next(case for case in CREDENTIAL_CASES if case.number == 25)


@pytest.mark.parametrize("how", LostKey)
def test_rows_of_a_lost_key_ask_with_it(how):
    keys = {LostKey.REVOKED: "key-r", LostKey.EXPIRED: "key-e"}
    target = Target(host="a", port=80, tls=False, key="key-good", model="m", lost_keys=keys)
    rows = [row for row in LOST.rows if row.lost_key is how]
    assert len(rows) == 3
    for row in rows:
        last = row.steps[-1].render(target, "mark-1")
        assert keys[how].encode() in last
        assert b"key-good" not in last
        assert (row.then or row.want).codes == {f"credentials-{how}"}


def test_without_the_keys_their_rows_are_skipped_and_say_what_they_need():
    target = Target(host="192.0.2.1", port=9, tls=False, key="key-good", model="m")  # nobody is asked
    (result,) = run(Trial(target=target, timeout_s=0.5), [LOST])
    assert result.verdict is Verdict.SKIP
    assert {row.seen for row in result.rows} == {"needs --revoked-key", "needs --expired-key"}
