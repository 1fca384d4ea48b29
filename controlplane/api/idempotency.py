# SPDX-License-Identifier: Apache-2.0
"""`Idempotency-Key`: the header read, an answer given again, and an answer kept."""

from typing import Final

import orjson
from flask import Response, g, request

from controlplane.services.idempotency import MOST_ANSWER_BYTES, Idempotency, Kept
from controlplane.services.idempotency_ports import Claim
from controlplane.services.model import Principal

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_KEPT_HEADERS: Final = ("Content-Type", "ETag", "Location")


def begin(idempotency: Idempotency, actor: Principal) -> Response | None:
    """Return what the request was answered before. None where it is to be carried out.

    The caller has asked whether `actor` may: who may no longer gets no old answer either.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    path, query = request.path.encode(), request.query_string
    rule = request.url_rule.rule if request.url_rule else request.path
    found = idempotency.begin(actor, key=key, route=rule, parts=(path, query, request.get_data()))
    if isinstance(found, Claim):
        g.idempotency_claim = found
        return None
    return _again(found)


def settle(idempotency: Idempotency, response: Response) -> None:
    """Keep what a request with a key is answered."""
    claim: Claim | None = g.pop("idempotency_claim", None)
    if claim is None:
        return
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = response.get_data()
    # One that is too large is noted as such, in as many bytes as say so.
    content = orjson.dumps(headers) + b"\n" + body if len(body) < MOST_ANSWER_BYTES else bytes(MOST_ANSWER_BYTES + 1)
    idempotency.settle(claim, response.status_code, content)


def _again(kept: Kept) -> Response:
    headers, _, body = kept.content.partition(b"\n")
    answer = Response(body, status=kept.status)
    answer.headers.update(orjson.loads(headers))
    answer.headers[REPLAYED] = "true"
    return answer
