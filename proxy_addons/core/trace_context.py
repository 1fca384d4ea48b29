# SPDX-License-Identifier: Apache-2.0
"""W3C trace context: the client's, strictly read, and the fields that name our span to the upstream.

Rules: `tracestate` is text of the client's. It is checked, bounded and passed on, and is in no span: nothing of a
client's text is exported. One that breaks the syntax is dropped whole, as the recommendation has it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from proxy_addons.core.firewall import Headers, trace_id_of, values_of

# What the recommendation obliges a member of a trace to pass on; longer ones may be dropped.
_STATE_BYTES: Final = 512
_STATE_MEMBERS: Final = 32
_STATE_MEMBER: Final = re.compile(
    rb"(?P<key>[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    rb"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_SAMPLED: Final = 1

Attributes: TypeAlias = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceParent:
    """The span of the client's under which an exchange belongs. Ids are lower-case hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool
    state: bytes = b""


class OpenSpan(Protocol):
    """A span that was begun and that is exported once it has ended."""

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to: 32 hexadecimal digits."""

    @property
    def span_id(self) -> str:
        """Its own id: 16 hexadecimal digits."""

    def end(self, attributes: Attributes, *, now_ns: int, failed: bool) -> None:
        """End it at the monotonic time `now_ns`."""


BeginSpan: TypeAlias = Callable[[str, TraceParent | None, int], OpenSpan | None]
"""Begins a span: its name, its parent, and the monotonic time of its start. None: this exchange is not sampled."""


def parent_of(headers: Headers) -> TraceParent | None:
    """Return the parent that a client names, or None where there is no valid `traceparent`."""
    trace_id = trace_id_of(headers)
    if trace_id is None:
        return None
    # It is valid: `00-` trace id `-` span id `-` flags, of fixed lengths.
    _, _, span_id, flags = values_of(headers, b"traceparent")[0].split(b"-")
    return TraceParent(
        trace_id=trace_id,
        span_id=span_id.decode("ascii"),
        sampled=bool(int(flags, 16) & _SAMPLED),
        state=_state_of(values_of(headers, b"tracestate")),
    )


def upstream_fields(span: OpenSpan, state: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields that name `span` as the parent of what the upstream does."""
    fields = [(b"traceparent", f"00-{span.trace_id}-{span.span_id}-01".encode("ascii"))]
    return [*fields, (b"tracestate", state)] if state else fields


def _state_of(values: Sequence[bytes]) -> bytes:
    joined = b",".join(values)
    if len(joined) > _STATE_BYTES:
        return b""
    members = [member for member in (each.strip(b" \t") for each in joined.split(b",")) if member]
    found = [_STATE_MEMBER.fullmatch(member) for member in members]
    keys = {each["key"] for each in found if each is not None}
    return b",".join(members) if len(keys) == len(members) <= _STATE_MEMBERS else b""
