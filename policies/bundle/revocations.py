# SPDX-License-Identifier: Apache-2.0
"""The signed document that says what is refused from now on, whatever else says that it is good.

It is small because it holds only what is revoked, where the credentials document holds every key there is: revoking
one of 100,000 keys signs, sends and loads a few hundred bytes (`docs/spec/bundle.md`, "Revocations").
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from policies.bundle.jws import SigningKey, VerificationKeys, open_signed, sign
from policies.contracts.codec import JSON
from policies.contracts.errors import BundleRejected

SCHEMA: Final = "gatehouse.revocations/1"
# A hundred thousand keys and as many tokens, in base64. What is larger is loaded by no node.
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
# Beyond it a double no longer tells whole numbers apart, and nothing could ever be newer.
MAX_EPOCH: Final = 2**53 - 1

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RevokedToken:
    """A token by what its issuer calls it."""

    issuer: str
    jti: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class IssuedBefore:
    """Every token and certificate of `subject` (`TYPE:ID`) that was issued before `at`."""

    subject: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsDocument:
    """What is refused in one environment of one tenant. `epoch` only grows, by itself: it is not that of credentials.

    `digests` are hexadecimal SHA-256 of a token without its signature, of a whole token, or of a certificate.
    """

    tenant: str
    environment: str
    epoch: int
    issued_at: datetime
    keys: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    tokens: tuple[RevokedToken, ...] = ()
    digests: tuple[str, ...] = ()
    issued_before: tuple[IssuedBefore, ...] = ()


def sign_revocations(document: RevocationsDocument, signer: SigningKey) -> bytes:
    """Return the signed form of `document`. The same document gives the same bytes."""
    return sign(_to_json(document), signer).encode()


def verify_revocations(raw: bytes, *, keys: VerificationKeys, tenant: str, environment: str) -> RevocationsDocument:
    """Return the document of `raw`. Raises BundleRejected: `signature-invalid`, `snapshot-invalid` or `wrong-scope`."""
    if len(raw) > MAX_DOCUMENT_BYTES or not raw.isascii():
        raise BundleRejected("signature-invalid", "the revocations document is not a compact JWS of a bearable size")
    opened = open_signed(raw.decode("ascii"), keys)
    try:
        document = _from_json(opened)
        same = _to_json(document) == opened
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BundleRejected("snapshot-invalid", "the revocations document is not of a schema known here") from None
    if not same:
        raise BundleRejected("snapshot-invalid", "the revocations document has a member that is not known here")
    if (document.tenant, document.environment) != (tenant, environment):
        raise BundleRejected("wrong-scope", "the revocations document is for another tenant or environment")
    return document


def _to_json(document: RevocationsDocument) -> dict[str, JSON]:
    return {
        "schema": SCHEMA,
        "tenant": document.tenant,
        "environment": document.environment,
        "epoch": document.epoch,
        "issued_at": _time(document.issued_at),
        "keys": [*sorted(set(document.keys))],
        "subjects": [*sorted(set(document.subjects))],
        "tokens": [{"issuer": each.issuer, "jti": each.jti} for each in sorted(set(document.tokens))],
        "digests": [*sorted(set(document.digests))],
        "issued_before": [
            {"subject": each.subject, "at": _time(each.at)} for each in sorted(set(document.issued_before))
        ],
    }


def _from_json(raw: Any) -> RevocationsDocument:
    """Read what `_to_json` gave. What is read otherwise is found by the caller, who writes it again and compares."""
    epoch = raw["epoch"]
    if raw["schema"] != SCHEMA or type(epoch) is not int or not 0 < epoch <= MAX_EPOCH:
        raise ValueError("not a revocations document")
    digests = _texts(raw["digests"])
    if not all(map(_DIGEST.fullmatch, digests)):
        raise ValueError("not a digest")
    return RevocationsDocument(
        tenant=raw["tenant"],
        environment=raw["environment"],
        epoch=epoch,
        issued_at=_read_time(raw["issued_at"]),
        keys=_texts(raw["keys"]),
        subjects=_texts(raw["subjects"]),
        tokens=tuple(RevokedToken(issuer=_text(each["issuer"]), jti=_text(each["jti"])) for each in raw["tokens"]),
        digests=digests,
        issued_before=tuple(
            IssuedBefore(subject=_text(each["subject"]), at=_read_time(each["at"])) for each in raw["issued_before"]
        ),
    )


def _texts(raw: Any) -> tuple[str, ...]:
    return tuple(map(_text, raw))


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError("not a text")
    return raw


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
