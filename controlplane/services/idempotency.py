# SPDX-License-Identifier: Apache-2.0
"""A request that is sent twice with one `Idempotency-Key` takes effect once, and is answered the same twice.

Theory: a try takes its key in a transaction of its own, then the request takes effect in another, then a third keeps
the answer. While the first is under way a second is refused. What becomes of a process that ends in between: its try
keeps the key for as long as its lease, then the same request may be tried again; whether it took effect before is for
the request's own precondition (`If-Match`, a name that is taken) to find. So a key makes a request that was answered
happen once, and one whose server was killed at least once.

An answer may show a secret that is shown once, so answers are sealed under the key of `GATEHOUSE_PAYLOAD_KEY_FILE`. A
body's fingerprint is keyed: a plain digest of a short body could be guessed back.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from controlplane.identifiers import Clock, NewId
from controlplane.services.errors import Conflict, Invalid, Refused, StoreUnavailable
from controlplane.services.idempotency_ports import Claim, Found, KeyName
from controlplane.services.model import Principal
from controlplane.services.ports import Store

KEPT_FOR: Final = timedelta(hours=24)
# Longer than the longest request takes, a release of thousands of policies with its tests.
LEASE: Final = timedelta(minutes=2)
MOST_ANSWER_BYTES: Final = 1024 * 1024
# As it stands in the OpenAPI document, so with $; visible ASCII has no line end, and it is matched as a whole.
KEY_FORM: Final = "^[!-~]{1,255}$"

_LEAST_KEPT: Final = 200
_LEAST_FAILURE: Final = 500
# They say something of the moment, or of a header: the same request may well be carried out later.
_NOT_KEPT: Final = frozenset({412, 428, 429})

_key_form: Final = re.compile(KEY_FORM)
_log = structlog.get_logger("gatehouse.idempotency")


class KeyReused(Refused):
    """The key is that of another request."""


class InFlight(Conflict):
    """The first try of the request is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that was given before."""

    status: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    store: Store
    clock: Clock
    new_id: NewId
    secret: bytes

    def begin(self, actor: Principal, *, key: str, route: str, parts: tuple[bytes, ...]) -> Claim | Kept:
        """Take `key` for the request that `parts` make up; return what to settle it with, or what was answered.

        Raises Invalid, KeyReused, InFlight, Conflict.
        """
        if not _key_form.fullmatch(key):
            raise Invalid("idempotency-key-invalid", "An Idempotency-Key is 1 to 255 visible ASCII characters.")
        now = self.clock()
        claim = Claim(
            name=KeyName(tenant=actor.tenant, principal=actor.id, route=route, key=key),
            fingerprint=self._fingerprint(parts),
            attempt=self.new_id("try_"),
            leased_until=now + LEASE,
            expires_at=now + KEPT_FOR,
        )
        with self.store.write() as session:
            found = session.idempotency_keys.claim(claim, now=now)
        return claim if found is None else _judged(claim, found)

    def settle(self, claim: Claim, status: int, content: bytes) -> None:
        """Keep the answer, where it is one that another try shall get. Never raises: the request took effect."""
        is_kept = _LEAST_KEPT <= status < _LEAST_FAILURE and status not in _NOT_KEPT
        try:
            with self.store.write() as session:
                if not is_kept:
                    session.idempotency_keys.let_go(claim)
                elif not session.idempotency_keys.keep(claim, status, content[: MOST_ANSWER_BYTES + 1]):
                    _log.warning("idempotency_key_lost", route=claim.name.route)
        except StoreUnavailable as exc:
            _log.warning("idempotent_answer_not_kept", route=claim.name.route, problem=str(exc))

    def prune(self) -> None:
        """Forget the keys whose time is over."""
        with self.store.write() as session:
            session.idempotency_keys.prune(now=self.clock())

    def _fingerprint(self, parts: tuple[bytes, ...]) -> str:
        # Each part's own digest first: joined as they are, two requests could read the same.
        digests = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hmac.new(self.secret, digests, hashlib.sha256).hexdigest()


def _judged(claim: Claim, found: Found) -> Kept:
    if found.fingerprint != claim.fingerprint:
        raise KeyReused(
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request. Take a new key for each request.",
        )
    if found.status is None:
        raise InFlight("idempotency-in-flight", "The first request with this key is under way. Ask again in a moment.")
    if found.answer is None or len(found.answer) > MOST_ANSWER_BYTES:
        raise Conflict(
            "idempotent-answer-not-kept",
            f"The request was answered {found.status} before; the answer is too large, or its key is gone.",
        )
    return Kept(status=found.status, content=found.answer)
