# SPDX-License-Identifier: Apache-2.0
"""Which fields of a message were scanned by which rules, and which were not, each with its reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import ActiveRules

NO_RULE: Final = "no-rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """`by` has the same fields as `scanned`, beside the rules that looked at them, each rule as `POLICY/RULE`."""

    scanned: tuple[str, ...] = ()
    not_scanned: tuple[tuple[str, str], ...] = ()
    by: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()  # (rules, paths)


def covering(rules: ActiveRules, looked: Iterable[tuple[str, FieldClass]], left: Mapping[str, str]) -> Coverage:
    """Return the coverage of a message in which texts were `looked` at by `rules`, and others `left` for a reason.

    A text of a class that no rule selects was scanned by nobody; texts of several classes may stand at one path.
    """
    by: dict[tuple[str, ...], set[str]] = {}
    unread = [(path, why) for path, why in left.items()]
    for path, field in looked:
        if looking := rules.looking(field):
            by.setdefault(looking, set()).add(path)
        else:
            unread.append((path, f"{NO_RULE}-for-{field}"))
    return Coverage(
        scanned=tuple(sorted(set().union(*by.values()))),
        not_scanned=tuple(sorted(unread)),
        by=tuple(sorted((names, tuple(sorted(paths))) for names, paths in by.items())),
    )
