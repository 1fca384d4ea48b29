# SPDX-License-Identifier: Apache-2.0
"""Talk to a witness over HTTP (C2SP tlog-witness)."""

import re
from types import TracebackType
from typing import Final, Self

import httpx

from controlplane.services.witnesses import Witness, WitnessAnswer, WitnessUnusable

# A witness looks into its memory and signs. One that takes longer is asked again two seconds later.
_TIMEOUT_S: Final = 5.0
_LONGEST_ANSWER: Final = 64 * 1024
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n?", re.ASCII)


class WitnessClient:
    """`controlplane.services.witnesses.AskWitness` over HTTP."""

    def __init__(self, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(timeout=_TIMEOUT_S, transport=transport, follow_redirects=False, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def __call__(self, witness: Witness, body: bytes) -> WitnessAnswer:
        try:
            with self._http.stream("POST", f"{witness.url}/add-checkpoint", content=body) as answer:
                status, content = answer.status_code, _read(answer)
        except httpx.HTTPError as exc:
            raise WitnessUnusable(f"it does not answer ({type(exc).__name__})") from exc
        if status == httpx.codes.OK:
            return WitnessAnswer(lines=content.decode("utf-8", "replace"))
        if status == httpx.codes.CONFLICT and _SIZE.fullmatch(content):
            return WitnessAnswer(knows_size=int(content))
        raise WitnessUnusable(f"it answers {status}")


def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > _LONGEST_ANSWER:
            raise WitnessUnusable("its answer is too long")
    return bytes(content)
