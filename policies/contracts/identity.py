# SPDX-License-Identifier: Apache-2.0
"""Who beside the holder of an API key may be known, as policy says it: issuers of tokens, and client certificates."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.members import ADDED, members

DISCOVERY: Final = "discovery"


class TokenAlgorithm(StrEnum):
    """Signatures by a private key alone: with a shared secret, whoever verifies could also sign."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    EDDSA = "EdDSA"


class SubjectType(StrEnum):
    USER = "user"
    SERVICE = "service"


class CertificateField(StrEnum):
    """Where in a certificate a name is looked for."""

    SAN_URI = "san-uri"
    SAN_DNS = "san-dns"
    CN = "cn"


class OnRevocation(StrEnum):
    """What becomes of answers under way when the credential that asked for them is revoked."""

    FINISH = "finish"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSubject:
    """The subject is `TYPE:` and `prefix` and the value of `claim`, which must make a name."""

    claim: str = "sub"
    type: SubjectType = SubjectType.USER
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGroups:
    """`names` maps a value in `claim` to the group it means in policy; any other value means nothing."""

    claim: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are taken, which of them, and what is read from them. `id` names the issuer in records.

    `jwks` is the URL of its keys, or DISCOVERY. Keys that could not be fetched again for `max_key_age_s` are not used.
    An empty `tenant_claim` means that its tokens name no tenant.
    """

    id: str
    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[TokenAlgorithm, ...]
    jwks: str
    clock_skew_s: int
    max_lifetime_s: int
    max_key_age_s: int
    subject: TokenSubject
    groups: TokenGroups | None
    tenant_claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRule:
    """A certificate whose `field` is `exact` is `subject`; one that begins with `prefix` is `TYPE:` and what follows.

    Either `exact` and `subject` are set or `prefix` and `type`; the others are None.
    """

    id: str
    field: CertificateField
    exact: str | None = None
    subject: str | None = None
    prefix: str | None = None
    type: SubjectType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    id: str
    version: str
    issuers: tuple[Issuer, ...]
    certificates: tuple[CertificateRule, ...]
    on_revocation: OnRevocation = dataclasses.field(default=OnRevocation.FINISH, metadata=ADDED)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave. Raises ValueError for an unknown or missing member or a bad value."""
        given = members(cls, raw)
        return cls(
            id=given["id"],
            version=given["version"],
            issuers=tuple(map(_issuer, given["issuers"])),
            certificates=tuple(map(_certificate_rule, given["certificates"])),
            on_revocation=OnRevocation(given.get("on_revocation", OnRevocation.FINISH)),
        )


def _issuer(raw: Mapping[str, Any]) -> Issuer:
    members = _members(Issuer, raw)
    subject, groups = _members(TokenSubject, members["subject"]), members["groups"]
    return Issuer(
        **members
        | {
            "audiences": tuple(members["audiences"]),
            "algorithms": tuple(map(TokenAlgorithm, members["algorithms"])),
            "subject": TokenSubject(**subject | {"type": SubjectType(subject["type"])}),
            "groups": None if groups is None else TokenGroups(**_members(TokenGroups, groups)),
        },
    )


def _certificate_rule(raw: Mapping[str, Any]) -> CertificateRule:
    members = _members(CertificateRule, raw)
    kind = None if members["type"] is None else SubjectType(members["type"])
    return CertificateRule(**members | {"field": CertificateField(members["field"]), "type": kind})


def _members(of: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(of)}
    if raw.keys() != names:
        msg = f"{of.__name__} has members {sorted(raw)}, not {sorted(names)}"
        raise ValueError(msg)
    return dict(raw)
