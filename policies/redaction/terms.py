# SPDX-License-Identifier: Apache-2.0
"""Under which terms the rules of one exchange look: how much may wait, how deep is decoded, what is not redacted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Decoding,
    EmbeddingInputs,
    HoldBounds,
    LogProbabilities,
    OverBudget,
    RedactionPolicy,
)

_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of all policies in force; of two that differ, the stricter.

    `hold_by` and `decoding_by` name the policy to whose bound it is put down when one is reached; "" where none acts.
    """

    hold: HoldBounds
    decoding: Decoding
    embeddings: EmbeddingInputs
    log_probabilities: LogProbabilities
    hold_by: str = field(default="", compare=False)
    decoding_by: str = field(default="", compare=False)


def united(policies: Sequence[RedactionPolicy]) -> Terms:
    """Return the terms of those of `policies` that act, or of those that look where none acts.

    Those that only look stop nothing, however much there is to decode, and whatever there is to embed.
    """
    acting = [policy for policy in policies if policy.mode is Mode.ENFORCE]
    of = acting or policies
    first = min(acting, key=lambda policy: policy.hold.max_bytes, default=None)
    strictest = min(acting, key=lambda policy: list(OverBudget).index(policy.decoding.over_budget), default=None)
    waits = [policy.hold.max_ms for policy in of if policy.hold.max_ms is not None]
    return Terms(
        hold=HoldBounds(
            max_bytes=min((policy.hold.max_bytes for policy in of), default=HoldBounds().max_bytes),
            max_ms=min(waits, default=None),
            at_bound=_strictest((policy.hold.at_bound for policy in of), HoldBounds().at_bound),
        ),
        decoding=Decoding(
            depth=max((policy.decoding.depth for policy in of), default=Decoding().depth),
            max_bytes=max((policy.decoding.max_bytes for policy in of), default=Decoding().max_bytes),
            over_budget=_strictest((policy.decoding.over_budget for policy in acting), OverBudget.ANNOTATE),
        ),
        embeddings=_strictest((policy.embeddings for policy in acting), EmbeddingInputs.ALLOW),
        log_probabilities=_strictest((policy.log_probabilities for policy in acting), LogProbabilities.DROP),
        hold_by="" if first is None else first.id,
        decoding_by="" if strictest is None else strictest.id,
    )


def _strictest(given: Iterable[_E], otherwise: _E) -> _E:
    """Return the strictest of the members of an enumeration: that which it defines first."""
    order = list(type(otherwise))
    return min(given, key=order.index, default=otherwise)
