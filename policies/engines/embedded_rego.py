# SPDX-License-Identifier: Apache-2.0
r"""Guards asked of an embedded Rego engine, rego-cpp, where no OPA is to be had. Records name it `rego-embedded`.

Theory: the bundle is compiled once and asked by its entry point. Interpreter and bundle live in one thread of their own
and are touched by no other, since shared ones crash; the event loop waits for that thread with a deadline. A query that
is late cannot be stopped: it keeps the thread, later queries are late too, and each of them refuses its request.

Warning: rego-cpp keeps strings as JSON writes them. One that needs an escape (`"`, `\`, a control character) is longer
to `count` than it is and unlike its own unescaped form, so a guard could be evaded by it. A request with such a string
is refused, as is guard data with one. Its in-memory input cuts strings at NUL and integers to 64 bits: input goes in as
text. OPA has neither trait.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from policies.contracts.codec import JSON
from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall, DeniedCall
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_calls, read_guards
from policies.engines.guard_input import call_input, guard_input
from policies.engines.rego_library import RegoError
from policies.engines.rego_plan import CompiledRego, RegoRefused, compile_rego, refuse_unfaithful

ENGINE: Final = "rego-embedded"
ENTRYPOINT: Final = "gatehouse/main/guards"
CALLS_ENTRYPOINT: Final = "gatehouse/main/calls"


@dataclass(frozen=True, slots=True)
class _Failed:
    problem: str


class EmbeddedGuard:
    """A GuardEngine over the Rego modules of one bundle. Immutable: a new bundle gets a new one.

    `modules` are the bundle's, by file name, the generated `gatehouse/main.rego` among them; `data` is its data.json.
    Raises RegoRefused where the engine would not run them as OPA does.
    """

    def __init__(
        self,
        snapshot: PolicySnapshot,
        *,
        modules: Mapping[str, str],
        data: Mapping[str, JSON],
        deadline_s: float = 0.25,
    ) -> None:
        self._snapshot = snapshot
        self._deadline_s = deadline_s
        self._compiled: CompiledRego | None = None
        # One thread, never more: rego-cpp's objects stay in it from their making to their end.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gatehouse-rego")
        if not snapshot.guards:
            return
        if not is_plain(data):
            self._thread.shutdown(wait=False)
            raise RegoRefused("guard data has a string that the embedded Rego engine misreads; run the guards with OPA")
        try:
            self._thread.submit(self._compile, dict(modules), data).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        """Return one answer for each guard, by id. Raises EvaluationFailed."""
        started = time.perf_counter_ns()
        if not self._snapshot.guards:
            return EngineAnswer(engine=ENGINE, answers=())
        asked = guard_input(request, groups=groups_of(self._snapshot, request.subject), access=access)
        return read_guards(
            await self._query(asked, ENTRYPOINT),
            snapshot=self._snapshot,
            engine=ENGINE,
            duration_us=(time.perf_counter_ns() - started) // 1000,
        )

    async def judge(
        self, request: EvaluationRequest, access: EngineAnswer, calls: Sequence[AskedCall]
    ) -> tuple[DeniedCall, ...]:
        """Return what guards deny of `calls`. Raises EvaluationFailed, also for arguments that this engine misreads."""
        groups = groups_of(self._snapshot, request.subject)
        result = await self._query(call_input(request, groups=groups, access=access, calls=calls), CALLS_ENTRYPOINT)
        return read_calls(result, snapshot=self._snapshot, engine=ENGINE, asked=[call.index for call in calls])

    async def _query(self, asked: dict[str, Any], entrypoint: str) -> object:
        if not is_plain(asked):
            raise EvaluationFailed(ENGINE, "the question has a string that this engine misreads")
        try:
            # Not asyncio.timeout, which needs a task: the first step of a hook is run without one.
            asking = asyncio.get_running_loop().run_in_executor(self._thread, self._ask, asked, entrypoint)
            result = await asyncio.wait_for(asking, self._deadline_s)
        except TimeoutError as exc:
            raise EvaluationFailed(ENGINE, f"no answer within {self._deadline_s:g} s") from exc
        except RuntimeError as exc:  # the thread was given back
            raise EvaluationFailed(ENGINE, "the engine is closed") from exc
        if isinstance(result, _Failed):
            raise EvaluationFailed(ENGINE, result.problem)
        return result

    async def close(self) -> None:
        """Let the thread end after the query it is at, and free what it built."""
        if self._compiled is not None:
            self._thread.submit(self._forget)
        self._thread.shutdown(wait=False)

    def _compile(self, modules: Mapping[str, str], data: Mapping[str, JSON]) -> None:
        judged = any(guard.calls is not None for guard in self._snapshot.guards)
        entrypoints = [ENTRYPOINT, CALLS_ENTRYPOINT] if judged else [ENTRYPOINT]
        compiled = compile_rego(modules, data=data, entrypoints=entrypoints)
        refuse_unfaithful(compiled)
        self._compiled = compiled

    def _ask(self, asked: Mapping[str, Any], entrypoint: str) -> object:
        """Return what the guards said, or _Failed.

        Raises nothing: a traceback would take interpreter and output out of this thread, to be freed in another.
        """
        if self._compiled is None:
            return _Failed("the engine is closed")
        interpreter = self._compiled.interpreter
        try:
            interpreter.set_input_term(json.dumps(asked, ensure_ascii=False))
            output = interpreter.query_bundle_entrypoint(self._compiled.bundle, entrypoint)
        except (RegoError, ValueError):  # ValueError: what came out is not JSON, as of a plan that went wrong
            return _Failed("the query failed")
        if not output.ok():
            return _Failed("the query failed: an error in a rule or a built-in")
        expressions = output.results[0].expressions if len(output.results) == 1 else []
        if len(expressions) != 1:
            return _Failed(f"data.{entrypoint.replace('/', '.')} is undefined")
        answer: object = expressions[0]
        return answer

    def _forget(self) -> None:
        self._compiled = None


def is_plain(value: JSON) -> bool:
    """Return whether no string of `value`, key or member, needs an escape in JSON or cannot be UTF-8."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) == f'"{value}"' and not any(
            "\ud800" <= c <= "\udfff" for c in value
        )
    if isinstance(value, Mapping):
        return all(is_plain(key) and is_plain(member) for key, member in value.items())
    if isinstance(value, list | tuple):
        return all(is_plain(member) for member in value)
    return True
