# SPDX-License-Identifier: Apache-2.0
"""What the head of a request must look like before its body is read: path, route, size, media type.

Rules: the decision uses the request target as it came, byte for byte. Nothing is normalised: a target that would have
to be is refused, since the next parser may normalise it otherwise. Headers are given as the pairs that came, in order.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from policies.contracts.snapshot import Encoding, Route
from proxy_addons.core.multipart_form import boundary_of
from proxy_addons.core.refused import Refused

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

# The client's name for its request travels under a name of its own: `x-request-id` is ours.
CLIENT_REQUEST_ID: Final = b"x-client-request-id"

_MAX_TARGET_BYTES: Final = 2048
# As `path` of a route in docs/spec/policy-document.md: segments, none of them empty, `.` or `..`. What is missing
# matters: %, ?, #, ;, \ and every control.
_PATH: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")
_MAX_LENGTH_DIGITS: Final = 18
_JSON_MEDIA_TYPE: Final = re.compile(
    rb'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?[ \t]*', flags=re.IGNORECASE
)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def values_of(headers: Headers, name: bytes) -> Sequence[bytes]:
    """Return every value of the header `name` (lower case), in order."""
    return _by_name(headers).get(name, ())


# The head that was last asked about, and its values by name: a dozen questions come for each, one after the other. A
# tuple of pairs of bytes cannot change, so that its identity, while it is held here, says that it is the same.
_last: tuple[Headers, Mapping[bytes, Sequence[bytes]]] = ((), {})


def _by_name(headers: Headers) -> Mapping[bytes, Sequence[bytes]]:
    global _last  # noqa: PLW0603  # a cache of one entry
    known, values = _last
    if known is headers:
        return values
    named: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    if type(headers) is tuple:
        _last = headers, named
    return named


def check_path(target: bytes) -> str:
    """Return the request target as a path. Raises Refused where it is not the canonical form of one."""
    if len(target) > _MAX_TARGET_BYTES or not _PATH.fullmatch(target):
        raise Refused("path-not-canonical")
    return target.decode("ascii")


def check_host(headers: Headers, permitted: frozenset[str]) -> None:
    """Raise Refused unless `Host` names this gateway, with its port or without. No names: every host is taken.

    The decision never uses the name and the upstream gets its own, so that any is harmless to us; a list keeps pages of
    other names, which a browser was led to by DNS, from using the gateway.
    """
    if not permitted:
        return
    hosts = [value.decode("latin-1").lower() for value in values_of(headers, b"host")]
    names = {re.sub(r":[0-9]+\Z", "", host) for host in hosts}
    if len(hosts) != 1 or permitted.isdisjoint({hosts[0], *names}):
        raise Refused("host-not-permitted")


def match_route(routes: Mapping[tuple[str, str], Route], method: str, path: str) -> Route:
    """Return the route of exactly this method and path. Raises Refused where policy lists none."""
    route = routes.get((method, path))
    if route is None:
        raise Refused("route-not-listed")
    return route


def check_declared_size(headers: Headers, max_bytes: int) -> None:
    """Raise Refused where the head already says that the body is too large. Framing was checked by the layer."""
    for value in values_of(headers, b"content-length"):
        if len(value) > _MAX_LENGTH_DIGITS or not value.isdigit() or int(value) > max_bytes:
            raise Refused("body-too-large")


def check_no_body(headers: Headers) -> None:
    """Raise Refused where the head announces a body on a route that takes none."""
    if values_of(headers, b"transfer-encoding"):
        raise Refused("body-not-permitted")
    if any(value != b"0" for value in values_of(headers, b"content-length")):
        raise Refused("body-not-permitted")


def check_encoding(headers: Headers, permitted: Sequence[Encoding]) -> Encoding | None:
    """Return the content coding of the body, None for none. Raises Refused unless it is the only one and permitted."""
    values = values_of(headers, b"content-encoding")
    if not values:
        return None
    named = values[0].decode("latin-1").lower()
    if named == "identity" and len(values) == 1:
        return None
    coding = next((each for each in permitted if each.value == named), None)
    if coding is None or len(values) > 1:
        raise Refused("encoding-not-permitted")
    return coding


def check_media_type(headers: Headers) -> None:
    """Raise Refused unless the body is said, exactly once, to be JSON in UTF-8."""
    match values_of(headers, b"content-type"):
        case [value] if _JSON_MEDIA_TYPE.fullmatch(value):
            return
    raise Refused("media-type-not-permitted")


def trace_id_of(headers: Headers) -> str | None:
    """Return the trace id of a W3C `traceparent`, or None where there is none, several, or one that is not valid."""
    match values_of(headers, b"traceparent"):
        case [value] if (found := _TRACEPARENT.fullmatch(value)) and found[1].strip(b"0") and found[2].strip(b"0"):
            return found[1].decode("ascii")
    return None


def form_boundary(headers: Headers) -> bytes:
    """Return the boundary of the form that the body is said, exactly once, to be. Raises Refused."""
    match values_of(headers, b"content-type"):
        case [value] if (boundary := boundary_of(value)) is not None:
            return boundary
    raise Refused("media-type-not-permitted")


def client_request_id_of(headers: Headers) -> str | None:
    """Return the client's own name for its request, or None where there is none, several, or one that is not plain."""
    match values_of(headers, b"x-request-id"):
        case [value] if _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return None


def forwarded_headers(headers: Headers, *, request_id: str, media_type: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the headers the upstream gets: written from scratch, so that none of the client's is passed on unseen.

    `media_type` is that of the body that is forwarded; None: there is none.

    No credential, no hop-by-hop header, no `X-Forwarded-*`, `X-Original-URL` or method override survives that.
    `Accept-Encoding: identity` since a compressed answer could not be examined.
    """
    written = [(b"accept-encoding", b"identity"), (b"x-request-id", request_id.encode("ascii"))]
    if trace_id_of(headers) is not None:
        written += [(b"traceparent", value) for value in values_of(headers, b"traceparent")]
    if (client_request_id := client_request_id_of(headers)) is not None:
        written.append((CLIENT_REQUEST_ID, client_request_id.encode("ascii")))
    if media_type is not None:
        written.append((b"content-type", media_type))
    return written


def query_parameter_names(target: bytes) -> Iterable[bytes]:
    """Yield the names in the query of `target`, lower case, undecoded: only to see that a credential is among them."""
    _, _, query = target.partition(b"?")
    for pair in re.split(rb"[&;]", query):
        yield pair.partition(b"=")[0].lower()
