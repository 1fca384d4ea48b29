# SPDX-License-Identifier: Apache-2.0
"""The schemas of `routes`, `identity`, `upstreams` and `logging`: what is asked, by whom, where, what is kept."""

from typing import Final

from policies.contracts.identity import CertificateField, OnRevocation, SubjectType, TokenSubject
from policies.contracts.recording import MOST_BYTES, USUAL_BYTES, ContentMode, RecordsMode
from policies.contracts.snapshot import Dialect, Encoding, Modality, UnknownFields
from policies.document import forms
from policies.document.kinds import identity as of_identity
from policies.document.kinds.routes import Method
from policies.document.schemas.parts import choice, keyed, listed, members, text, whole
from policies.document.schemas.selectors import RULE_ID, SELECTORS

_ROUTE: Final = members(
    "One method and exact path, what it is called in policy, and how its bodies are read.",
    {
        "id": RULE_ID,
        "method": choice(Method, "`GET` for the list of models, else `POST`."),
        "path": text(forms.PATH, "The exact path.", examples=["/v1/chat/completions"]),
        "operation": text(forms.ONE_OPERATION, "What policies call it.", examples=["chat.completions"]),
        "dialect": choice(Dialect, "How its bodies are read."),
        "unknown_fields": choice(
            UnknownFields, "What becomes of a member that the dialect does not know.", default=UnknownFields.REFUSE
        ),
        "allow_fields": listed(
            text(forms.FIELD, "A member's name."), "Unknown members that pass whatever `unknown_fields` says."
        ),
        "encodings": listed(choice(Encoding, "A content coding."), "Codings of bodies that are decoded."),
        "allow_uncovered": listed(choice(Modality, "A modality."), "Content that passes though no detector reads it."),
    },
    required=("id", "method", "path", "operation", "dialect"),
)
ROUTES: Final = members(
    "Which methods and paths there are. What no route lists is answered 404.",
    {"routes": listed(_ROUTE, "Method and path are unique in a release.", at_least=1, unique=False)},
    required=("routes",),
)

_SECONDS: Final = "In seconds."
_ISSUER: Final = members(
    "An issuer whose tokens are taken.",
    {
        "id": RULE_ID,
        "issuer": text(forms.ISSUER, "Its `iss`, exactly; a URL that begins with `https://`."),
        "audiences": listed(text(forms.VALUE, "An `aud`."), "For whom its tokens are to be.", at_least=1),
        "algorithms": listed(
            text(forms.ALGORITHM, "A signature algorithm.", examples=["RS256", "ES256"]),
            "Algorithms that are taken.",
            at_least=1,
        ),
        "jwks": text(forms.JWKS, "`discovery`, or where its keys are."),
        "clock_skew_s": whole(
            0, of_identity.MOST_SKEW_S, f"How far its clock may be off. {_SECONDS}", default=of_identity.SKEW_S
        ),
        "max_lifetime_s": whole(
            of_identity.LEAST_LIFETIME_S,
            of_identity.MOST_LIFETIME_S,
            f"The longest lifetime of a token. {_SECONDS}",
            default=of_identity.DAY_S,
        ),
        "max_key_age_s": whole(
            of_identity.LEAST_KEY_AGE_S,
            of_identity.MOST_KEY_AGE_S,
            f"How long its keys are trusted when it cannot be asked. {_SECONDS}",
            default=of_identity.DAY_S,
        ),
        "subject": members(
            "How a token names its subject.",
            {
                "claim": text(forms.CLAIM, "The claim.", default=TokenSubject().claim),
                "type": choice(SubjectType, "What the subject is.", default=SubjectType.USER),
                "prefix": text(forms.NAME_PREFIX, "What is written before the claim's value.", default=""),
            },
        ),
        "groups": members(
            "Which groups its tokens may name.",
            {
                "claim": text(forms.CLAIM, "The claim."),
                "names": keyed(forms.VALUE, text(forms.GROUP, "A group."), "A group for each value of the claim.")
                | {"minProperties": 1},
            },
            required=("claim", "names"),
        ),
        "tenant": members(
            "The claim that must name this tenant.", {"claim": text(forms.CLAIM, "The claim.")}, required=("claim",)
        ),
    },
    required=("id", "issuer", "audiences", "algorithms", "jwks"),
)
_CERTIFICATE: Final = members(
    "Whom a client certificate names: `exact` and `subject`, or `prefix` and `type`.",
    {
        "id": RULE_ID,
        "field": choice(CertificateField, "Where the name stands."),
        "exact": text(forms.VALUE, "The whole of the field."),
        "subject": text(forms.MEMBER, "Who that is."),
        "prefix": text(forms.CERTIFICATE_PREFIX, "What the field begins with; the rest is the subject's name."),
        "type": choice(SubjectType, "What the subject is."),
    },
    required=("id", "field"),
    oneOf=[
        {"required": ["exact", "subject"], "properties": {"prefix": False, "type": False}},
        {"required": ["prefix", "type"], "properties": {"exact": False, "subject": False}},
    ],
)
IDENTITY: Final = members(
    "Whose tokens and certificates name a subject.",
    {
        "issuers": listed(_ISSUER, "Issuers of tokens.", at_least=1, unique=False),
        "certificates": listed(_CERTIFICATE, "Rules for client certificates.", at_least=1, unique=False),
        "on_revocation": choice(
            OnRevocation, "What becomes of answers under way to who is revoked.", default=OnRevocation.FINISH
        ),
    },
    anyOf=[{"required": ["issuers"]}, {"required": ["certificates"]}, {"required": ["on_revocation"]}],
)

LOGGING: Final = members(
    "Whether every record must be durable, and what is kept of prompts and answers.",
    {
        "records": choice(RecordsMode, "`strict`: what cannot be recorded is refused.", default=RecordsMode.STRICT),
        "content": members(
            "What is kept of texts.",
            {
                "prompts": choice(ContentMode, "Of prompts.", default=ContentMode.NONE),
                "answers": choice(ContentMode, "Of answers.", default=ContentMode.NONE),
            },
        ),
        "max_bytes": whole(1, MOST_BYTES, "How much of either is kept, in bytes.", default=USUAL_BYTES),
        **SELECTORS,
    },
    anyOf=[
        {"required": ["records"]},
        {"required": ["max_bytes"]},
        {"required": ["content"], "properties": {"content": {"minProperties": 1}}},
    ],
)

_UPSTREAM: Final = members(
    "Requests that go to one inference server.",
    {
        "name": text(
            forms.ID, "The upstream, as the operator of the nodes named it; `default` is the one they all have."
        ),
        "operations": SELECTORS["operations"],
        "models": SELECTORS["models"],
    },
    required=("name",),
    anyOf=[
        {"required": ["operations"], "properties": {"operations": {"minItems": 1}}},
        {"required": ["models"], "properties": {"models": {"minItems": 1}}},
    ],
)
UPSTREAMS: Final = members(
    "Which requests go to which inference server; what nothing takes goes to `default`.",
    {"upstreams": listed(_UPSTREAM, "The first that takes a request counts.", at_least=1, unique=False)},
    required=("upstreams",),
)
