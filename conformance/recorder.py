# SPDX-License-Identifier: Apache-2.0
"""What arrived upstream during a row, from a recording upstream in this process or another."""

import base64
import re
from typing import Final, Protocol

import httpx

from conformance.upstream import Arrival, ArrivalLog

_WITHIN_S: Final = 10.0
# The request lines of all that arrived on a connection. A body of ours never has one: a prompt holds no such text.
_REQUEST_LINE: Final = re.compile(rb"(?:^|\n|\})[A-Z]{3,16} [^ \r\n]+ HTTP/1\.[01]\r\n")


class Recorder(Protocol):
    def position(self) -> int: ...
    def since(self, position: int) -> list[Arrival]: ...


class LocalRecorder:
    def __init__(self, log: ArrivalLog) -> None:
        self._log = log

    def position(self) -> int:
        return self._log.position()

    def since(self, position: int) -> list[Arrival]:
        return self._log.since(position)


class RemoteRecorder:
    """Asks the log server of another process. Raises httpx.HTTPError where it does not answer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_WITHIN_S, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def position(self) -> int:
        return int(self._client.get("/").raise_for_status().json()["position"])

    def since(self, position: int) -> list[Arrival]:
        told = self._client.get("/", params={"since": position}).raise_for_status().json()
        return [
            Arrival(each["at"], each["connection"], base64.b64decode(each["content_b64"])) for each in told["arrivals"]
        ]


def joined(arrivals: list[Arrival]) -> dict[int, bytes]:
    """Return what arrived by connection."""
    found: dict[int, bytes] = {}
    for arrival in arrivals:
        found[arrival.connection] = found.get(arrival.connection, b"") + arrival.content
    return found


def requests_in(arrived: dict[int, bytes]) -> int:
    return sum(len(_REQUEST_LINE.findall(content)) for content in arrived.values())
