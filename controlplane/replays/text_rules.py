# SPDX-License-Identifier: Apache-2.0
"""Whether what a replay says of a request depends on what the request says, which a replay does not read.

Facts: a request that was allowed was allowed by the rules that looked at its texts then, and by no others.
"""

from controlplane.replays.comparison import Judged
from policies.contracts.decision import Effect
from policies.evaluation.text_rules import TextRules


def is_settled(
    was: Judged, now: Judged, *, was_rules: TextRules | None, now_rules: TextRules, is_on_record: bool
) -> bool:
    """Return whether texts make no difference to what changed. `was_rules` is None where nobody knows them.

    `is_on_record`: `was` says what became of the request, its texts included.
    """
    if now.effect is Effect.ALLOW and now_rules:
        return was.effect is Effect.ALLOW and was_rules == now_rules
    return is_on_record or was.effect is Effect.DENY or not was_rules
