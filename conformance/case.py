# SPDX-License-Identifier: Apache-2.0
"""The words in which cases are written: what is sent, and what a safe gateway does with it.

Theory: a row is data. Its bytes hold the placeholders `<HOST>`, `<KEY>`, `<MODEL>`, `<PATH>` and `<MARK>`; the last is
unlike in every row, so that what arrives upstream, or comes back, can be told from what another row sent.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from conformance.alterations import Alteration
from conformance.scratch import Check

# What refuses a message without knowing Gatehouse's codes: any client error, or "not implemented" and "HTTP version".
GENERIC_REFUSALS: Final = frozenset({*range(400, 500), 501, 505})


class LostKey(StrEnum):
    """How a key was lost that was good once. `gatehouse conformance` takes such a key as `--revoked-key`."""

    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The gateway under test, who asks, and which keys its operator took back before the run."""

    host: str
    port: int
    tls: bool
    key: str | None
    model: str
    path: str = "/v1/chat/completions"
    lost_keys: Mapping[LostKey, str] = field(default_factory=dict)

    def fill(self, template: bytes, mark: str) -> bytes:
        authority = f"[{self.host}]" if ":" in self.host else self.host
        for name, value in (
            (b"<HOST>", f"{authority}:{self.port}"),
            (b"<KEY>", self.key or "none"),
            (b"<MODEL>", self.model),
            (b"<PATH>", self.path),
            (b"<MARK>", mark),
            *((f"<{lost.upper()}>".encode(), key) for lost, key in self.lost_keys.items()),
        ):
            template = template.replace(name, value.encode())
        return template


def chat(**changes: Any) -> bytes:
    """Return a chat request that asks for little, with the row's mark as its prompt."""
    body = {"model": "<MODEL>", "messages": [{"role": "user", "content": "<MARK>"}], **changes}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def chunks(body: bytes, *, size: int = 16, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """Return `body` in the chunked coding."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in pieces) + b"0\r\n" + trailer + b"\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A well-formed request but for what a row changes. `framing` of None states the length of `body` truly.

    `awaits_continue` holds the body back until `100 Continue` comes; where none does, it goes on as a client may.
    """

    line: bytes = b"POST <PATH> HTTP/1.1"
    host: bytes | None = b"Host: <HOST>"
    credential: tuple[bytes, ...] = (b"Authorization: Bearer <KEY>",)
    media_type: tuple[bytes, ...] = (b"Content-Type: application/json",)
    fields: tuple[bytes, ...] = ()
    framing: tuple[bytes, ...] | None = None
    body: bytes = chat()
    shape: Callable[[bytes], bytes] = bytes
    line_end: bytes = b"\r\n"
    awaits_continue: bool = False

    def render(self, target: Target, mark: str) -> bytes:
        body = self.shape(target.fill(self.body, mark))
        framing = (b"Content-Length: %d" % len(body),) if self.framing is None else self.framing
        credential = self.credential if target.key is not None else ()
        host = () if self.host is None else (self.host,)
        lines = (self.line, *host, *credential, *self.media_type, *self.fields, *framing)
        head = b"".join(target.fill(line, mark) + self.line_end for line in lines)
        return head + self.line_end + body


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are, placeholders filled in."""

    template: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """Send a byte of `template` now and then, without end: when they are used up, from the first again."""

    template: bytes
    every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Flood:
    """Send `piece` again and again, until there is an answer or it was sent `times`."""

    piece: bytes
    times: int


Step: TypeAlias = Ask | Raw | Drip | Flood


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What is right as the answer to a request. `refused` and `answered` are the statuses either may have.

    A gateway that is not Gatehouse may refuse with any client error, or by closing; codes are Gatehouse's own.
    `present` stands in an answer of 200, `absent` in nothing that is sent. `cut`: an answer of 200 tells an error in
    the end, or breaks off. `unsaid` is in no text that a client can put together from the answer; `arguments`: those of
    its tool calls are JSON.
    """

    refused: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    answered: frozenset[int] = frozenset()
    closes: bool = False
    present: tuple[bytes, ...] = ()
    absent: tuple[bytes, ...] = ()
    cut: bool = False
    unsaid: tuple[str, ...] = ()
    arguments: bool = False

    def or_answered(self, *statuses: int, present: tuple[bytes, ...] = (b"<MARK>",)) -> "Want":
        return replace(self, answered=frozenset(statuses or (200,)), present=present)


def refused(status: int, *codes: str, closes: bool = False) -> Want:
    return Want(refused=frozenset({status}), codes=frozenset(codes), closes=closes)


ANSWERED: Final = Want(answered=frozenset({200}), present=(b"<MARK>",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What may arrive upstream where a request is not refused. `requests` is how many of them may arrive at most."""

    present: tuple[bytes, ...] = ()
    absent: tuple[bytes, ...] = ()
    requests: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt. `cuts` sends it whole, split at the end of its head, and byte by byte.

    `then` is what must be right for a second answer on the connection. `patience_s` is longer than the usual deadline
    for rows that wait for the gateway's own; `scripted` ones need the upstream that plays answers, and those of a
    `lost_key` one that was good once. Where `needs_model_list`, a gateway that takes any model does nothing wrong, nor
    where `needs_canary` one that was not told of that secret, or where `needs_screen` one that screens no prompts.
    """

    slug: str
    steps: tuple[Step, ...]
    want: Want
    then: Want | None = None
    upstream: Upstream = Upstream()
    cuts: bool = False
    needs_tls: bool = False
    alpn: tuple[str, ...] = ()
    patience_s: float = 0.0
    scripted: bool = False
    lost_key: LostKey | None = None
    needs_model_list: bool = False
    needs_canary: bool = False
    needs_screen: bool = False
    recorded: bool = False
    cell: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One number of the catalogue. Without rows it is not in this suite, and `where` says why.

    `rows` are requests, `alterations` what is done to an archive of the log, `checks` attempts on how policy is made.
    """

    number: int
    title: str
    rows: tuple[Row, ...] = ()
    alterations: tuple[Alteration, ...] = ()
    checks: tuple[Check, ...] = ()
    where: str = ""

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.alterations) + len(self.checks)


def row(slug: str, want: Want, *steps: Step, **more: Any) -> Row:
    """Return a row that sends `steps`; a plain request where there are none."""
    return Row(slug=slug, steps=steps or (Ask(),), want=want, **more)


def rows_of(want: Want, asks: Mapping[str, Ask | Raw], **more: Any) -> tuple[Row, ...]:
    """Return a row for each of `asks`, which have their right answer in common."""
    return tuple(row(slug, want, ask, **more) for slug, ask in asks.items())
