# SPDX-License-Identifier: Apache-2.0
"""What the node asks of the control plane: bundles, credentials, and to take records and its status.

Every call has a deadline and a size limit, ignores the environment's proxies, follows no redirect, and turns whatever
goes wrong into ControlPlaneUnavailable: the caller's only question is when to try again.
"""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
import orjson

from policies.contracts.codec import JSON, canonical_bytes
from proxy_addons.secret_files import read_secret
from proxy_addons.settings import SettingInvalid

# The control plane is near; a connection that takes longer is a sign to back off.
_CONNECT_S: Final = 2.0
# How long it may hold a feed's request, and how much longer an answer may take to arrive whole.
_LONG_POLL_S: Final = 30
_TRANSFER_S: Final = 15.0
# A batch of records is answered once it is durable there; SQLite needs milliseconds, a loaded server some seconds.
_INGEST_S: Final = 30.0
_STATUS_S: Final = 5.0
# As docs/spec/bundle.md limits it.
_LARGEST_BUNDLE_BYTES: Final = 64 * 1024 * 1024
# 100,000 keys of 250 bytes, in base64.
_LARGEST_CREDENTIALS_BYTES: Final = 32 * 1024 * 1024
# As docs/spec/bundle.md limits it.
_LARGEST_REVOCATIONS_BYTES: Final = 16 * 1024 * 1024
_LARGEST_ANSWER_BYTES: Final = 64 * 1024
_LONGEST_RETRY_AFTER_S: Final = 60.0

# Records are packed to a third of their size in 15 µs each. A few of them fit into one packet as they are.
_WORTH_PACKING_BYTES: Final = 8 * 1024
_FAST: Final = 1

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404


# What the answer to a batch of records counts.
_RECEIPT: Final = ("stored", "duplicates", "quarantined")


class ControlPlaneUnavailable(Exception):
    """The control plane did not do what it was asked. `status` and `retry_after_s` are what it said, if anything."""

    def __init__(self, problem: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.retry_after_s = retry_after_s


class NothingPublished(ControlPlaneUnavailable):
    """There is no bundle or credentials document yet (404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a feed gave: its bytes and the ETag that names them."""

    etag: str
    content: bytes


class ControlPlane:
    """The control plane at one origin, for one environment, with the agent's token (read for each call: it rotates)."""

    def __init__(self, session: aiohttp.ClientSession, *, environment: str, token_file: Path) -> None:
        self._session = session
        self._environment = environment
        self._token_file = token_file

    @classmethod
    def connect(cls, origin: str, *, environment: str, token_file: Path) -> Self:
        session = aiohttp.ClientSession(
            origin,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_STATUS_S, connect=_CONNECT_S),
        )
        return cls(session, environment=environment, token_file=token_file)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def bundle(self, etag: str | None) -> Fetched | None:
        """Return the bundle in force as soon as it is another than `etag` names; None where it is not for 30 s."""
        return await self._feed("bundles/gatehouse.tar.gz", etag, largest=_LARGEST_BUNDLE_BYTES)

    async def credentials(self, etag: str | None) -> Fetched | None:
        """As `bundle`, for the credentials document."""
        return await self._feed("credentials", etag, largest=_LARGEST_CREDENTIALS_BYTES)

    async def environment(self, etag: str | None) -> Fetched | None:
        """As `bundle`, for the environment document."""
        return await self._feed("environment", etag, largest=_LARGEST_ANSWER_BYTES)

    async def candidate(self, serial: int) -> Fetched | None:
        """As `bundle`, for the bundle of the candidate that the environment document names."""
        return await self._feed(f"candidates/{serial}.tar.gz", None, largest=_LARGEST_BUNDLE_BYTES)

    async def revocations(self, etag: str | None) -> Fetched | None:
        """As `bundle`, for the revocations document."""
        return await self._feed("revocations", etag, largest=_LARGEST_REVOCATIONS_BYTES)

    async def append_records(self, lines: bytes) -> None:
        """Return once every line is durable at the control plane (new, duplicate or quarantined).

        A success that does not say so is nobody's word: a portal or a proxy in between answers 200 with a page, and the
        records would be deleted here though nobody has them.
        """
        fields = {"Content-Type": "application/x-ndjson"}
        if len(lines) >= _WORTH_PACKING_BYTES:
            lines = await asyncio.to_thread(gzip.compress, lines, _FAST, mtime=0)
            fields["Content-Encoding"] = "gzip"
        answer = await self._post("/v1/records", lines, fields, within_s=_INGEST_S)
        if not _is_receipt(answer):
            raise ControlPlaneUnavailable("what answers for the control plane does not say that records were stored")

    async def report_status(self, node_id: str, status: Mapping[str, JSON]) -> None:
        body = canonical_bytes(status)
        await self._post(f"/v1/agents/{node_id}/status", body, {"Content-Type": "application/json"}, within_s=_STATUS_S)

    async def _feed(self, resource: str, etag: str | None, *, largest: int) -> Fetched | None:
        headers = self._headers() | {"Prefer": f"modes=snapshot;wait={_LONG_POLL_S}"}
        if etag is not None:
            headers["If-None-Match"] = etag
        url = f"/opa/v1/{self._environment}/{resource}"
        timeout = aiohttp.ClientTimeout(total=_LONG_POLL_S + _TRANSFER_S, connect=_CONNECT_S)
        try:
            async with self._session.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                if answer.status == _NOT_MODIFIED:
                    return None
                if answer.status == _NOT_FOUND:
                    raise NothingPublished("nothing is published yet")
                if answer.status != _OK:
                    raise _refused(answer)
                return Fetched(etag=answer.headers.get("ETag", ""), content=await _read(answer, largest))
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise ControlPlaneUnavailable(type(exc).__name__) from exc

    async def _post(self, url: str, body: bytes, fields: Mapping[str, str], *, within_s: float) -> bytes:
        headers = {**self._headers(), **fields}
        timeout = aiohttp.ClientTimeout(total=within_s, connect=_CONNECT_S)
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                if answer.status // 100 != 2:  # noqa: PLR2004  # any 2xx
                    raise _refused(answer)
                return await _read(answer, _LARGEST_ANSWER_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise ControlPlaneUnavailable(type(exc).__name__) from exc

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {read_secret(self._token_file)}"}
        except SettingInvalid as exc:
            raise ControlPlaneUnavailable("the agent's token file cannot be read") from exc


async def _read(answer: aiohttp.ClientResponse, largest: int) -> bytes:
    content = bytearray()
    async for piece in answer.content.iter_chunked(256 * 1024):
        content += piece
        if len(content) > largest:
            answer.close()
            raise ControlPlaneUnavailable(f"the answer is larger than {largest} bytes")
    return bytes(content)


def _refused(answer: aiohttp.ClientResponse) -> ControlPlaneUnavailable:
    stated = answer.headers.get("Retry-After", "")
    seconds = min(float(stated), _LONGEST_RETRY_AFTER_S) if stated.isascii() and stated.isdigit() else None
    return ControlPlaneUnavailable(f"status {answer.status}", status=answer.status, retry_after_s=seconds)


def _is_receipt(answer: bytes) -> bool:
    """Tell whether `answer` is what ingestion says once a batch is durable."""
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict) and all(type(told.get(name)) is int for name in _RECEIPT)
