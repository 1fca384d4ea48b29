# SPDX-License-Identifier: Apache-2.0
"""Guards asked of an OPA server, which has loaded the signed bundle this snapshot came from.

Rules: one query for all guards, one try, one deadline, one type of error. Late, unreachable, an error status, a
built-in that failed, an undefined result, or an answer by another revision than the snapshot's: EvaluationFailed.

The query is one for all guards, so a failure in a guard that only warns or observes refuses the request as well. That
is meant: OPA says that the query failed, not in which guard, and a guess could let through what an enforcing one
denies.

Facts about opa-python-client 3.0.0 that this depends on, each pinned by a test: it connects by TCP only, and tries
again on errors with pauses longer than our deadline. So the one place that sends is replaced; the way to ask a rule is
the client's. What it does beside queries (policies, health) is not had over these connections.
"""

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NoReturn, Self

import orjson
from opa_client.opa_async import AsyncOpaClient

from policies.contracts.decision import EngineAnswer, PolicyAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import AskedCall, DeniedCall
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_calls, read_guards
from policies.engines.guard_input import call_input, guard_input
from policies.engines.opa_connection import OpaConnections, OpaRefused

ENGINE: Final = "opa"
# Given with the path, so that the client does not put them together again for each question.
_PATH: Final = "gatehouse/main/guards?strict-builtin-errors=true&provenance=true"
_CALLS_PATH: Final = "gatehouse/main/calls?strict-builtin-errors=true&provenance=true"

# What guards say differs in their reasons and obligations only, some hundred bytes each.
_REMEMBERED_ANSWERS: Final = 256
_LONGEST_REMEMBERED_BYTES: Final = 4096


class OpaGuard:
    """A GuardEngine over the OPA server at `address`: the path of a Unix socket, or `HOST:PORT`.

    `manifest_revision` is what OPA must state as the revision of its bundle.
    """

    def __init__(
        self,
        snapshot: PolicySnapshot,
        *,
        manifest_revision: str,
        address: str,
        deadline_s: float = 0.25,
    ) -> None:
        self._snapshot = snapshot
        self._manifest_revision = manifest_revision
        self._deadline_s = deadline_s
        self._client = _OneTryClient(address, deadline_s=deadline_s)
        self._reads = lru_cache(_REMEMBERED_ANSWERS)(self._read)

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        """Return one answer for each guard, by id. Raises EvaluationFailed."""
        started = time.perf_counter_ns()
        if not self._snapshot.guards:
            return EngineAnswer(engine=ENGINE, answers=())
        asked = guard_input(request, groups=groups_of(self._snapshot, request.subject), access=access)
        said = await self._query(asked, _PATH)
        read = self._reads(said) if len(said) <= _LONGEST_REMEMBERED_BYTES else self._read(said)
        return EngineAnswer(
            engine=ENGINE,
            answers=read,
            duration_us=(time.perf_counter_ns() - started) // 1000,
            provenance=self._manifest_revision,
        )

    async def judge(
        self, request: EvaluationRequest, access: EngineAnswer, calls: Sequence[AskedCall]
    ) -> tuple[DeniedCall, ...]:
        """Return what guards deny of `calls`. Raises EvaluationFailed."""
        groups = groups_of(self._snapshot, request.subject)
        said = await self._query(call_input(request, groups=groups, access=access, calls=calls), _CALLS_PATH)
        result = self._result(said, "data.gatehouse.main.calls")
        return read_calls(result, snapshot=self._snapshot, engine=ENGINE, asked=[call.index for call in calls])

    def is_connected(self) -> bool:
        """Return whether there is a connection to OPA: one that was killed has none."""
        return self._client.is_connected()

    async def close(self) -> None:
        """Close the connections to OPA."""
        await self._client.close_connection()

    async def _query(self, asked: dict[str, Any], path: str) -> bytes:
        try:
            said: bytes = await self._client.query_rule(asked, path)
        except TimeoutError as exc:
            raise EvaluationFailed(ENGINE, f"no answer within {self._deadline_s:g} s") from exc
        except OpaRefused as exc:
            raise EvaluationFailed(ENGINE, str(exc)) from exc
        except OSError as exc:
            raise EvaluationFailed(ENGINE, f"not reachable ({type(exc).__name__})") from exc
        except (ValueError, RecursionError) as exc:  # a lone surrogate; its text is not shown, since it has content
            raise EvaluationFailed(ENGINE, "the question is not JSON") from exc
        return said

    def _read(self, said: bytes) -> tuple[PolicyAnswer, ...]:
        """Return what OPA said, by guard. Raises EvaluationFailed where it is not all that it must say.

        It depends on nothing but `said`, so that the few things that OPA says are read once each.
        """
        result = self._result(said, "data.gatehouse.main.guards")
        return read_guards(result, snapshot=self._snapshot, engine=ENGINE, duration_us=0).answers

    def _result(self, said: bytes, asked: str) -> object:
        """Return the value of `asked` in what OPA said. Raises EvaluationFailed where it is of another revision."""
        try:
            answer = orjson.loads(said)
        except ValueError as exc:
            raise EvaluationFailed(ENGINE, "the answer is not JSON") from exc
        if not isinstance(answer, dict):
            raise EvaluationFailed(ENGINE, "the answer is not an object")
        if self._revisions(answer) != {self._manifest_revision}:
            raise EvaluationFailed(ENGINE, "the answer was made by another revision than the snapshot's")
        if "result" not in answer:
            raise EvaluationFailed(ENGINE, f"{asked} is undefined")
        result: object = answer["result"]
        return result

    @staticmethod
    def _revisions(answer: dict[str, Any]) -> set[object]:
        """Return the revisions of all bundles that OPA has loaded; empty where it does not say."""
        match answer.get("provenance"):
            case {"bundles": dict(bundles)}:
                revisions = [
                    bundle.get("revision") if isinstance(bundle, dict) else None for bundle in bundles.values()
                ]
                return {revision if isinstance(revision, str) else None for revision in revisions}
            case _:
                return set()


class _OneTryClient(AsyncOpaClient):  # type: ignore[misc]  # opa_client has no types
    """The client over OpaConnections, that asks once and takes 200 only."""

    def __init__(self, address: str, *, deadline_s: float) -> None:
        super().__init__(retries=0)
        self._connections = OpaConnections(address, deadline_s=deadline_s)
        self._heads: dict[str, bytes] = {}

    def is_connected(self) -> bool:
        return self._connections.open > 0

    async def close_connection(self) -> None:
        self._connections.close()

    async def _init_session(self) -> NoReturn:
        raise TypeError("this client has no session: it only queries")

    def _request(self, method: str, url: str, *, json: dict[str, Any]) -> "_Exchange":
        if method != "POST":
            raise TypeError(f"this client only queries: no {method}")
        head = self._heads.get(url)
        if head is None:
            _, _, path = url.removeprefix("http://").partition("/")
            head = (
                f"POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
            ).encode("ascii")
            self._heads[url] = head
        return _Exchange(self._connections, head, json)


class _Exchange:
    """What the client asks in `async with`, and what it takes for the response there."""

    def __init__(self, connections: OpaConnections, head: bytes, asked: dict[str, Any]) -> None:
        self._connections = connections
        self._head = head
        self._asked = asked
        self._answer = b""

    async def __aenter__(self) -> Self:
        self._answer = await self._connections.ask(self._head, _encoded(self._asked))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        return

    def raise_for_status(self) -> None:
        """Nothing to raise: other answers than 200 were never given out."""

    async def json(self) -> bytes:
        """Return the answer as it came: OpaGuard reads it."""
        return self._answer


def _encoded(asked: dict[str, Any]) -> bytes:
    """Return `asked` as JSON. Raises ValueError for what is none, such as a lone surrogate."""
    try:
        return orjson.dumps(asked)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits is JSON too
        return json.dumps(asked, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
