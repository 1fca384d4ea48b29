# SPDX-License-Identifier: Apache-2.0
"""What the evaluation needs of an engine. `tests/contract/test_engine_contract.py` holds every adapter to it."""

from collections.abc import Sequence
from typing import Protocol

from policies.contracts.decision import EngineAnswer
from policies.contracts.request import EvaluationRequest
from policies.contracts.tools import AskedCall, DeniedCall


class AccessEngine(Protocol):
    """The access matrix: may this subject use this resource for this action at all? In process, immutable."""

    def evaluate(self, request: EvaluationRequest) -> EngineAnswer:
        """Return one answer for each access policy of the snapshot. MUST NOT raise for any request."""


class GuardEngine(Protocol):
    """The contextual guard: Rego over the facts of the request and over `access`, the access engine's answer."""

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        """Return one answer for each guard of the snapshot, within the engine's deadline.

        Raises EvaluationFailed where the engine is late, unreachable or broken, where a built-in fails, where a guard
        gives something else than `docs/spec/policy-document.md` allows, or where it answers for another revision.
        """

    async def judge(
        self, request: EvaluationRequest, access: EngineAnswer, calls: Sequence[AskedCall]
    ) -> tuple[DeniedCall, ...]:
        """Return what the guards that have `deny_call` deny of `calls`, those of one choice in the answer to `request`.

        Raises EvaluationFailed as `evaluate` does.
        """

    async def close(self) -> None:
        """Give back connections. The engine MUST NOT be used afterwards."""
