# SPDX-License-Identifier: Apache-2.0
"""Ask an OPA many questions to its guards in one query, by a module that asks the bundle's own entry for each.

Facts, each pinned by a test: `with input as` evaluates the entry anew for each question; a built-in that fails in one
fails the query; an entry that is undefined for one leaves a shorter list. After either of these two the questions are
asked in halves, so that each gets the answer that it would have got alone.
"""

from collections.abc import Sequence
from typing import Final

from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_guards
from policies.engines.guard_input import guard_input
from policies.engines.opa import ENGINE, OpaGuard
from policies.evaluation.bulk import Given, is_gone
from policies.evaluation.pipeline import AskGuard

MODULE_ID: Final = "gatehouse-many"
# Its package is outside the roots of our bundles, so that OPA takes it beside one.
MODULE: Final = """\
package gatehouse_many

answers := [answer |
	some asked in input.asked
	answer := data.gatehouse.main.guards with input as asked
]
"""
_PATH: Final = "gatehouse_many/answers?strict-builtin-errors=true&provenance=true"
# What OPA answers is bounded; a guard says some hundred bytes.
_MOST_ANSWERS: Final = 2_000
_MOST_QUESTIONS: Final = 256


class OpaMany(OpaGuard):
    """A GuardEngine and a GuardMany over an OPA that has MODULE beside the bundle."""

    async def evaluate_many(self, asks: Sequence[AskGuard]) -> Sequence[Given]:
        """Return what the guards say to each of `asks`. Raises EvaluationFailed where OPA is late or gone."""
        if not self._snapshot.guards:
            return [EngineAnswer(engine=ENGINE, answers=()) for _ in asks]
        size = max(1, min(_MOST_QUESTIONS, _MOST_ANSWERS // len(self._snapshot.guards)))
        given: list[Given] = []
        for begin in range(0, len(asks), size):
            given += await self._ask(asks[begin : begin + size])
        return given

    async def _ask(self, asks: Sequence[AskGuard]) -> list[Given]:
        try:
            return self._answers(await self._said(asks))
        except EvaluationFailed as exc:
            if is_gone(exc):
                raise
            if len(asks) > 1:
                half = len(asks) // 2
                return [*await self._ask(asks[:half]), *await self._ask(asks[half:])]
            return [exc]

    async def _said(self, asks: Sequence[AskGuard]) -> list[object]:
        snapshot = self._snapshot
        asked = [
            guard_input(ask.request, groups=groups_of(snapshot, ask.request.subject), access=ask.access) for ask in asks
        ]
        result = self._result(await self._query({"asked": asked}, _PATH), "data.gatehouse_many.answers")
        if not isinstance(result, list) or len(result) != len(asks):
            raise EvaluationFailed(ENGINE, "data.gatehouse.main.guards is undefined")
        return result

    def _answers(self, said: Sequence[object]) -> list[Given]:
        given: list[Given] = []
        for one in said:
            try:
                given.append(
                    read_guards(
                        one, snapshot=self._snapshot, engine=ENGINE, duration_us=0, provenance=self._manifest_revision
                    )
                )
            except EvaluationFailed as exc:
                given.append(exc)
        return given
