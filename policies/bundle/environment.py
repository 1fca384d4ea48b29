# SPDX-License-Identifier: Apache-2.0
"""The signed document by which a node knows how its environment is run (`docs/spec/environment-document.md`).

It says how old a policy may become and what happens then, how often the node looks at itself, and which candidate is
tried beside the bundle in force. Policy itself is in bundles; which bundle is in force, the bundle feed says.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from policies.bundle.jws import SigningKey, VerificationKeys, open_signed, sign
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected
from policies.contracts.request import Subject

SCHEMA: Final = "gatehouse.environment/1"

# A document has a fixed number of members, so that anything longer is not one.
_MAX_DOCUMENT_BYTES: Final = 16 * 1024
# Whole numbers that every reader of JSON holds exactly.
_MAX_NUMBER: Final = 2**53 - 1
_MAX_TEXT: Final = 256
_BUCKETS: Final = 10_000
_BUCKETS_IN_A_PERCENT: Final = _BUCKETS // 100
_ALL: Final = 100


class WhenStale(StrEnum):
    """What a node does once its policy is older than it may be."""

    DENY = "deny"
    SERVE = "serve"


class CandidateMode(StrEnum):
    """`observe` and `warn` judge beside what is in force; `enforce` decides alone for whoever is chosen."""

    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """After `max_s` seconds without word from the control plane, `then`. None: a policy does not become stale."""

    max_s: int | None = None
    then: WhenStale = WhenStale.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The bundle that is tried. Without a percentage everybody is chosen; `salt` makes each candidate choose anew."""

    serial: int
    etag: str
    mode: CandidateMode
    salt: str
    subjects_percent: int | None = None
    workers_percent: int | None = None

    def chooses_subject(self, tenant: str, subject: Subject) -> bool:
        return _chosen(self.salt, tenant, f"{subject.type}:{subject.id}", self.subjects_percent)

    def chooses_worker(self, tenant: str, slot: str) -> bool:
        return _chosen(self.salt, tenant, slot, self.workers_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDocument:
    """How one environment of one tenant is run. `number` only grows; a node refuses a lower one."""

    tenant: str
    environment: str
    number: int
    issued_at: datetime
    staleness: Staleness
    posture_every_s: int
    candidate: Candidate | None = None


def sign_environment(document: EnvironmentDocument, signer: SigningKey) -> bytes:
    """Return the signed form of `document`. Raises ValueError where no reader would take it."""
    said = _to_json(document)
    if _from_json(said) != document:
        raise ValueError("the environment document is not one that its readers take")
    return sign(said, signer).encode()


def verify_environment(raw: bytes, *, keys: VerificationKeys, tenant: str, environment: str) -> EnvironmentDocument:
    """Return the document of `raw`. Raises BundleRejected: `signature-invalid`, `snapshot-invalid` or `wrong-scope`.

    That `number` is not below the one before is for the caller to see to, who alone knows that one.
    """
    if len(raw) > _MAX_DOCUMENT_BYTES or not raw.isascii():
        raise BundleRejected("signature-invalid", "the environment document is not a compact JWS of a bearable size")
    opened = open_signed(raw.decode("ascii"), keys)
    try:
        document = _from_json(opened)
        same = _to_json(document) == opened
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise BundleRejected("snapshot-invalid", "the environment document is not of a schema known here") from None
    if not same:
        raise BundleRejected("snapshot-invalid", "the environment document has a member that is not known here")
    if (document.tenant, document.environment) != (tenant, environment):
        raise BundleRejected("wrong-scope", "the environment document is for another tenant or environment")
    return document


def _chosen(salt: str, tenant: str, name: str, percent: int | None) -> bool:
    if percent is None:
        return True
    digest = hashlib.sha256(f"{salt}\0{tenant}\0{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % _BUCKETS < percent * _BUCKETS_IN_A_PERCENT


def _to_json(document: EnvironmentDocument) -> dict[str, JSON]:
    candidate = document.candidate
    return {
        "schema": SCHEMA,
        "tenant": document.tenant,
        "environment": document.environment,
        "number": document.number,
        "issued_at": document.issued_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "staleness": {"max_s": document.staleness.max_s, "then": document.staleness.then.value},
        "posture": {"every_s": document.posture_every_s},
        "candidate": None
        if candidate is None
        else {
            "serial": candidate.serial,
            "etag": candidate.etag,
            "mode": candidate.mode.value,
            "subjects_percent": candidate.subjects_percent,
            "workers_percent": candidate.workers_percent,
            "salt": candidate.salt,
        },
    }


def _from_json(raw: Any) -> EnvironmentDocument:
    """Read what `_to_json` gave. A member that is not read here is found by the caller, who writes it again."""
    if raw["schema"] != SCHEMA:
        raise ValueError("not an environment document")
    max_s, candidate = raw["staleness"]["max_s"], raw["candidate"]
    return EnvironmentDocument(
        tenant=_text(raw["tenant"]),
        environment=_text(raw["environment"]),
        number=_whole(raw["number"], 1),
        issued_at=_time(raw["issued_at"]),
        staleness=Staleness(
            max_s=None if max_s is None else _whole(max_s, 1),
            then=WhenStale(raw["staleness"]["then"]),
        ),
        posture_every_s=_whole(raw["posture"]["every_s"], 1),
        candidate=None if candidate is None else _candidate(candidate),
    )


def _candidate(raw: Any) -> Candidate:
    return Candidate(
        serial=_whole(raw["serial"], 1),
        etag=_text(raw["etag"]),
        mode=CandidateMode(raw["mode"]),
        subjects_percent=_percent(raw["subjects_percent"]),
        workers_percent=_percent(raw["workers_percent"]),
        salt=_text(raw["salt"]),
    )


def _percent(raw: Any) -> int | None:
    return None if raw is None else _whole(raw, 0, _ALL)


def _whole(raw: Any, least: int, most: int = _MAX_NUMBER) -> int:
    # `True` is an int, and 1.0 equals one: neither is what was written.
    if type(raw) is not int or not least <= raw <= most:
        raise ValueError("not a whole number in its bounds")
    return raw


def _text(raw: Any) -> str:
    if type(raw) is not str or not 0 < len(raw) <= _MAX_TEXT or "\0" in raw:
        raise ValueError("not a text of a bearable length")
    return raw


def _time(raw: Any) -> datetime:
    at = datetime.fromisoformat(raw)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
