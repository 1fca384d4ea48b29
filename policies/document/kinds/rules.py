# SPDX-License-Identifier: Apache-2.0
"""What every list of rules has: ids of their own."""

from collections.abc import Sequence

from policies.document.reader import Members


def check_ids(rules: Sequence[Members], ids: Sequence[str]) -> None:
    """Note every id that an earlier rule has."""
    for index, (rule, rule_id) in enumerate(zip(rules, ids, strict=True)):
        if rule_id and rule_id in ids[:index]:
            rule.notes.add("duplicate-id", rule.at("id"), f"There is a rule {rule_id!r} already.", "Rename one.")
