# SPDX-License-Identifier: Apache-2.0
"""`identity`: whose tokens are taken and what is read from them, and whom a client certificate names."""

from policies.contracts.identity import (
    CertificateField,
    CertificateRule,
    Issuer,
    OnRevocation,
    SubjectType,
    TokenAlgorithm,
    TokenGroups,
    TokenSubject,
)
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import IdentitySpec
from policies.document.reader import Members

_ISSUER = (
    "id",
    "issuer",
    "audiences",
    "algorithms",
    "jwks",
    "clock_skew_s",
    "max_lifetime_s",
    "max_key_age_s",
    "subject",
    "groups",
    "tenant",
)
_CERTIFICATE = ("id", "field", "exact", "subject", "prefix", "type")

# Clocks that are kept by NTP differ by milliseconds; more than some minutes is a clock that nobody keeps.
SKEW_S = 30
MOST_SKEW_S = 300
DAY_S = 86_400
LEAST_LIFETIME_S = 60
MOST_LIFETIME_S = 30 * DAY_S
LEAST_KEY_AGE_S = 600
MOST_KEY_AGE_S = 7 * DAY_S


def read_identity(document: Members, _id: str) -> IdentitySpec:
    """Return the `spec` of an identity policy."""
    spec = document.object("spec", known=("issuers", "certificates", "on_revocation"))
    if spec is None:
        return IdentitySpec(issuers=(), certificates=())
    if not any(name in spec for name in ("issuers", "certificates", "on_revocation")):
        document.notes.add("identifies-nobody", spec.node.at, "Nobody is identified.", "Add issuers or certificates.")
    entries = spec.objects(
        "issuers", known=_ISSUER, required=("id", "issuer", "audiences", "algorithms", "jwks"), at_least=1
    )
    issuers = tuple(map(_issuer, entries))
    check_ids(entries, [issuer.id for issuer in issuers])
    rules = spec.objects("certificates", known=_CERTIFICATE, required=("id", "field"), at_least=1)
    certificates = tuple(map(_certificate, rules))
    check_ids(rules, [rule.id for rule in certificates])
    return IdentitySpec(
        issuers=issuers,
        certificates=certificates,
        on_revocation=spec.choice("on_revocation", OnRevocation, OnRevocation.FINISH),
    )


def _issuer(entry: Members) -> Issuer:
    algorithms = entry.texts("algorithms", forms.ALGORITHM, at_least=1)
    skew_s = entry.integer("clock_skew_s", low=0, high=MOST_SKEW_S)
    lifetime_s = entry.integer("max_lifetime_s", low=LEAST_LIFETIME_S, high=MOST_LIFETIME_S)
    key_age_s = entry.integer("max_key_age_s", low=LEAST_KEY_AGE_S, high=MOST_KEY_AGE_S)
    tenant = entry.object("tenant", known=("claim",), required=("claim",))
    return Issuer(
        id=entry.text("id", forms.ID),
        issuer=entry.text("issuer", forms.ISSUER),
        audiences=entry.texts("audiences", forms.VALUE, at_least=1),
        algorithms=tuple(TokenAlgorithm(name) for name in algorithms if name),
        jwks=entry.text("jwks", forms.JWKS),
        clock_skew_s=SKEW_S if skew_s is None else skew_s,
        max_lifetime_s=lifetime_s or DAY_S,
        max_key_age_s=key_age_s or DAY_S,
        subject=_subject(entry),
        groups=_groups(entry),
        tenant_claim=tenant.text("claim", forms.CLAIM) if tenant else "",
    )


def _subject(entry: Members) -> TokenSubject:
    stated = entry.object("subject", known=("claim", "type", "prefix"))
    if stated is None:
        return TokenSubject()
    return TokenSubject(
        claim=stated.text("claim", forms.CLAIM) if "claim" in stated else TokenSubject().claim,
        type=stated.choice("type", SubjectType, SubjectType.USER),
        prefix=stated.text("prefix", forms.NAME_PREFIX),
    )


def _groups(entry: Members) -> TokenGroups | None:
    stated = entry.object("groups", known=("claim", "names"), required=("claim", "names"))
    if stated is None:
        return None
    names = {value: stated.text_of(node, forms.GROUP) for value, node in stated.entries("names", forms.VALUE)}
    if "names" in stated and not names:
        entry.notes.add("too-few", stated.at("names"), "No group is named.", "Map a value of the claim to a group.")
    return TokenGroups(claim=stated.text("claim", forms.CLAIM), names=names)


def _certificate(rule: Members) -> CertificateRule:
    field = rule.choice("field", CertificateField, CertificateField.SAN_URI)
    if ("exact" in rule) == ("prefix" in rule):
        rule.notes.add("exact-or-prefix", rule.node.at, "A rule has either exact or prefix.", "Write one of them.")
    wanted, other = ("type", "subject") if "prefix" in rule else ("subject", "type")
    if wanted not in rule:
        rule.notes.add("member-missing", rule.node.at, f"The member {wanted!r} is missing.", "Add it.")
    if other in rule:
        rule.notes.add("unknown-member", rule.at(other), f"{other} does not go with this rule.", f"Write {wanted}.")
    return CertificateRule(
        id=rule.text("id", forms.ID),
        field=field,
        exact=rule.text("exact", forms.VALUE) if "exact" in rule else None,
        subject=rule.text("subject", forms.MEMBER) if "subject" in rule else None,
        prefix=rule.text("prefix", forms.CERTIFICATE_PREFIX) if "prefix" in rule else None,
        type=rule.choice("type", SubjectType, SubjectType.SERVICE) if "type" in rule else None,
    )
