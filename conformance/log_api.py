# SPDX-License-Identifier: Apache-2.0
"""What an auditor may ask a control plane for: decisions, exports and checkpoints, over its public API."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx

_ASK_AGAIN_S: Final = 0.05


class LogFails(Exception):
    """The control plane does not give what it has to."""


@dataclass(frozen=True, slots=True)
class LogApi:
    """The control plane at `client`'s address. Every wait ends after `within_s`."""

    client: httpx.Client
    within_s: float = 30.0

    def decision(self, request_id: str) -> bytes:
        """Return the decision on a request, once its terminal record is there."""
        deadline = time.monotonic() + self.within_s
        while True:
            answer = self.client.get(f"/v1/decisions/{request_id}")
            if answer.status_code == HTTPStatus.OK and answer.json().get("complete"):
                return answer.content
            if answer.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
                raise LogFails(f"the decision is answered {answer.status_code}")
            if time.monotonic() > deadline:
                raise LogFails("the request has no terminal record")
            time.sleep(_ASK_AGAIN_S)

    def export(self, **wanted: Any) -> bytes:
        """Return an export, once it is made."""
        return self._made(self.client.post("/v1/exports", json=wanted))

    def evidence(self, *, since: str, until: str) -> bytes:
        """Return an evidence pack, once it is made."""
        return self._made(self.client.post("/v1/evidence-packs", json={"from": since, "to": until}))

    def page(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def checkpoint_beyond(self, size: int) -> bytes:
        """Return the note of a checkpoint of more than `size` entries, once one is signed."""
        deadline = time.monotonic() + self.within_s
        while True:
            signed = self._given(self.client.get("/v1/audit/checkpoint")).json()
            if signed["size"] > size:
                return str(signed["note"]).encode()
            if time.monotonic() > deadline:
                raise LogFails(f"nothing beyond {size} entries is signed")
            time.sleep(_ASK_AGAIN_S)

    def _made(self, begun: httpx.Response) -> bytes:
        if begun.status_code != HTTPStatus.ACCEPTED:
            raise LogFails(f"an export is answered {begun.status_code}: {begun.text[:200]}")
        deadline = time.monotonic() + self.within_s
        while True:
            shown = self._given(self.client.get(f"/v1/operations/{begun.json()['id']}")).json()
            if shown["state"] == "succeeded":
                return self._given(self.client.get(shown["result"]["href"])).content
            if shown["state"] not in ("pending", "running") or time.monotonic() > deadline:
                raise LogFails(f"an export is {shown['state']}")
            time.sleep(_ASK_AGAIN_S)

    @staticmethod
    def _given(answer: httpx.Response) -> httpx.Response:
        if answer.status_code != HTTPStatus.OK:
            raise LogFails(f"{answer.request.url.path} is answered {answer.status_code}")
        return answer
