# SPDX-License-Identifier: Apache-2.0
"""A caller's side of the REST API, for the command line and for scripts."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

# A release compiles every policy and runs its tests; nothing else takes a second.
_TIMEOUT_S: Final = 60.0
# A stream of events says something every 15 s.
_QUIET_S: Final = 45.0
_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON body (None where there is none) and its strong ETag without quotes, if any."""

    body: Any
    etag: str


class ApiError(Exception):
    """The API refused. `problem` is the RFC 9457 document; `lines` says the same for people, a line each."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        head = f"{self.problem.get('title', 'The request failed')} ({self.status})"
        detail = self.problem.get("detail")
        return [f"{head}: {detail}" if detail else head, *map(_line, self.problem.get("errors", []))]


class ApiUnreachable(Exception):
    """No control plane answers at the address."""


class ApiClient:
    """Calls the API at origin `url` with a bearer `token`; over `transport`, where one is given, instead of TCP."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            transport=transport,
            # A proxy from the environment would be shown the token.
            trust_env=False,
        )

    def close(self) -> None:
        """Give back the connections. The client MUST NOT be used afterwards."""
        self._http.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, if_match: str | None = None) -> Answer:
        return self._call("POST", path, json=body or {}, headers=_if_match(if_match))

    def put(self, path: str, body: Mapping[str, Any] | None = None, *, if_match: str | None = None) -> Answer:
        return self._call("PUT", path, headers=_if_match(if_match), **({} if body is None else {"json": body}))

    def delete(self, path: str, *, if_match: str | None = None) -> Answer:
        return self._call("DELETE", path, headers=_if_match(if_match))

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of a body of any length as they arrive."""
        try:
            with self._http.stream("GET", path) as answer:
                if not answer.is_success:
                    answer.read()
                    raise ApiError(answer.status_code, _problem(answer))
                yield answer.iter_bytes()
        except httpx.HTTPError as exc:
            raise ApiUnreachable(f"the answer of {self._url} broke off ({type(exc).__name__})") from exc

    def every(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages."""
        asked = dict(query or {})
        while True:
            page = self.get(path, asked).body
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            asked["cursor"] = page["next_cursor"]

    def content(self, path: str) -> bytes:
        """Return what a path gives that is not JSON."""
        return self._answered("GET", path).content

    def follow(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the data of the server-sent events at `path`, for ever: a stream that ends is taken up where it was."""
        last: str | None = None
        while True:
            try:
                for event_id, data in self._events(path, query, last):
                    last = event_id or last
                    if data is not None:
                        yield data
            except httpx.HTTPError as exc:
                if last is None:
                    raise self._unreachable(exc) from exc
            time.sleep(_RETRY_S)

    def _events(
        self, path: str, query: Mapping[str, Any] | None, last: str | None
    ) -> Iterator[tuple[str | None, dict[str, Any] | None]]:
        headers = {} if last is None else {"Last-Event-ID": last}
        with self._http.stream("GET", path, params=query, headers=headers, timeout=_QUIET_S) as answer:
            if not answer.is_success:
                answer.read()
                raise ApiError(answer.status_code, _problem(answer))
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                data = json.loads(event["data"]) if event.get("event") == "decision" else None
                yield event.get("id"), data
                event = {}

    def _unreachable(self, exc: Exception) -> ApiUnreachable:
        return ApiUnreachable(f"no control plane answers at {self._url} ({type(exc).__name__})")

    def _call(self, method: str, path: str, **arguments: Any) -> Answer:
        answer = self._answered(method, path, **arguments)
        try:
            body = answer.json() if answer.content else None
        except ValueError as exc:
            raise ApiUnreachable(f"what answers at {self._url} is not a control plane") from exc
        return Answer(body=body, etag=answer.headers.get("ETag", "").strip('"'))

    def _answered(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.HTTPError as exc:
            raise self._unreachable(exc) from exc
        if not answer.is_success:
            raise ApiError(answer.status_code, _problem(answer))
        return answer


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": f'"{etag}"'}


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": answer.reason_phrase or "The request failed"}


def _line(error: Mapping[str, Any]) -> str:
    place = error.get("file") or error.get("policy") or error.get("pointer") or ""
    if error.get("line"):
        place = f"{place}:{error['line']}:{error.get('column', 1)}"
    what = error.get("message") or error.get("detail") or ""
    return " ".join(filter(None, (f"{place}:" if place else "", error.get("code", ""), what, error.get("fix", ""))))
