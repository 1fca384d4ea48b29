# SPDX-License-Identifier: Apache-2.0
"""Guards asked of an OPA server, which has loaded the signed bundle this snapshot came from.

Rules: one query for all guards, one try, one deadline, one type of error. Late, unreachable, an error status, a
built-in that failed, an undefined result, or an answer by another revision than the snapshot's: EvaluationFailed.

The query is one for all guards, so a failure in a guard that only warns or observes refuses the request as well. That
is meant: OPA says that the query failed, not in which guard, and a guess could let through what an enforcing one
denies.

Facts about opa-python-client 3.0.0 that this depends on, each pinned by a test: it connects by TCP only, and tries
again on errors with pauses longer than our deadline. So the session is ours, and the one place that sends is replaced.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from opa_client.opa_async import AsyncOpaClient

from policies.contracts.decision import EngineAnswer
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import groups_of
from policies.engines.guard_answer import read_guards
from policies.engines.guard_input import guard_input

ENGINE: Final = "opa"
_PATH: Final = "gatehouse.main.guards"
_PARAMETERS: Final = {"strict-builtin-errors": "true", "provenance": "true"}

# OPA answers within a millisecond on a core of its own; more connections at once than this only queue inside it.
_CONNECTIONS: Final = 64
_KEEP_ALIVE_S: Final = 60.0


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
        self._client = _OneTryClient(address)

    async def evaluate(self, request: EvaluationRequest, access: EngineAnswer) -> EngineAnswer:
        """Return one answer for each guard, by id. Raises EvaluationFailed."""
        started = time.perf_counter_ns()
        if not self._snapshot.guards:
            return EngineAnswer(engine=ENGINE, answers=())
        asked = guard_input(request, groups=groups_of(self._snapshot, request.subject), access=access)
        answer = await self._query(asked)
        if self._revisions(answer) != {self._manifest_revision}:
            raise EvaluationFailed(ENGINE, "the answer was made by another revision than the snapshot's")
        if "result" not in answer:
            raise EvaluationFailed(ENGINE, "data.gatehouse.main.guards is undefined")
        return read_guards(
            answer["result"],
            snapshot=self._snapshot,
            engine=ENGINE,
            duration_us=(time.perf_counter_ns() - started) // 1000,
            provenance=self._manifest_revision,
        )

    async def close(self) -> None:
        """Close the connections to OPA."""
        await self._client.close_connection()

    async def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._client.query_rule(asked, _PATH, query_params=_PARAMETERS)
        except TimeoutError as exc:
            raise EvaluationFailed(ENGINE, f"no answer within {self._deadline_s:g} s") from exc
        except aiohttp.ClientResponseError as exc:
            raise EvaluationFailed(ENGINE, f"answered with status {exc.status}") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise EvaluationFailed(ENGINE, f"not reachable ({type(exc).__name__})") from exc
        except (ValueError, RecursionError) as exc:
            # Neither text is shown: of the input (a lone surrogate) or of the answer (not JSON), it may have content.
            raise EvaluationFailed(ENGINE, "question or answer is not JSON") from exc
        if not isinstance(answer, dict):
            raise EvaluationFailed(ENGINE, "the answer is not an object")
        return answer

    @staticmethod
    def _revisions(answer: dict[str, Any]) -> set[object]:
        """Return the revisions of all bundles that OPA has loaded; empty where it does not say."""
        match answer.get("provenance"):
            case {"bundles": dict(bundles)}:
                revisions = [bundle.get("revision") for bundle in bundles.values() if isinstance(bundle, dict)]
                return {revision if isinstance(revision, str) else None for revision in revisions}
            case _:
                return set()


class _OneTryClient(AsyncOpaClient):  # type: ignore[misc]  # opa_client has no types
    """The client over a Unix socket or TCP, with connections kept alive, that asks once and takes 200 only."""

    def __init__(self, address: str) -> None:
        self._socket_path: str | None = None
        if "/" in address:
            super().__init__(host="localhost", retries=0)  # the host is only the Host header
            self._socket_path = address.removeprefix("unix:")
        else:
            host, _, port = address.rpartition(":")
            if not host or not port.isdecimal():
                raise ValueError(f"{address!r} is neither the path of a Unix socket nor HOST:PORT")
            super().__init__(host=host, port=int(port), retries=0)
        self._session: aiohttp.ClientSession | None = None

    async def _init_session(self) -> None:
        self._session = self._new_session()

    def _new_session(self) -> aiohttp.ClientSession:
        if self._socket_path is None:
            connector: aiohttp.BaseConnector = aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                keepalive_timeout=_KEEP_ALIVE_S,
            )
        else:
            connector = aiohttp.UnixConnector(
                self._socket_path,
                limit=_CONNECTIONS,
                keepalive_timeout=_KEEP_ALIVE_S,
            )
        # The deadline of the whole query is OpaGuard's; aiohttp's own would be a second one to reason about.
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @asynccontextmanager
    async def _request(self, method: str, url: str, **arguments: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            # Made at the first question, because aiohttp wants the running loop.
            self._session = self._new_session()
        async with self._session.request(method, url, allow_redirects=False, **arguments) as response:
            if response.status != 200:  # noqa: PLR2004  # the HTTP status OK
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
            yield response
