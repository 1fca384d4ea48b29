# SPDX-License-Identifier: Apache-2.0
"""/v1/explanations: what each stage says of a request, and what would have to differ."""

from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import Resource
from controlplane.api.fields import Time, count
from controlplane.api.fields import text as _text
from controlplane.api.guard import caller, plane
from controlplane.authz.permissions import Permission
from controlplane.services.hypotheses import ROLES, Hypothesis, shown_of
from controlplane.services.model import DEFAULT_ENVIRONMENT
from policies.contracts.identity import CertificateField
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import RequestFacts, Subject
from policies.evaluation.explaining_texts import MOST_CHARACTERS, MOST_TEXTS

resource = Resource("explanations", __name__, url_prefix="/v1", description="Why a policy says what it says.")

_MOST_NAMES: Final = 256


def _names(**arguments: Any) -> fields.List[Any]:
    return fields.List(_text(), validate=validate.Length(max=_MOST_NAMES), **arguments)


class HypothesisFactsSchema(ma.Schema):
    """What guards see of a request's body: its parameters and shape. What is not said has its default."""

    stream = fields.Boolean(truthy={True}, falsy={False})
    max_tokens = count(allow_none=True)
    n = count()
    message_count = count()
    roles = _names()
    tools = _names()
    tool_choice = _text(allow_none=True)
    text_chars = count()
    body_bytes = count()


class AskedMessageSchema(ma.Schema):
    role = fields.String(required=True, validate=validate.OneOf(sorted(ROLES)))
    content = _text(required=True, longest=MOST_CHARACTERS)


class AskedScopeSchema(ma.Schema):
    """What an API key is narrowed to; null leaves that measure to policy."""

    operations = _names(load_default=None, allow_none=True)
    models = _names(load_default=None, allow_none=True)


class AskedCertificateSchema(ma.Schema):
    field = fields.Enum(CertificateField, by_value=True, required=True)
    name = _text(required=True)


class AskedCredentialSchema(ma.Schema):
    """A token of `issuer` (and for `audience`), a `certificate`, or neither: an API key. No secret is asked for."""

    issuer = _text(load_default=None, allow_none=True)
    audience = _text(load_default=None, allow_none=True)
    certificate = fields.Nested(AskedCertificateSchema, load_default=None, allow_none=True)
    scope = fields.Nested(AskedScopeSchema, load_default=lambda: AskedScopeSchema().load({}))

    @ma.validates_schema
    def _is_one(self, given: dict[str, Any], **_: Any) -> None:
        if given.get("certificate") is not None and (given.get("issuer") or given.get("audience")):
            raise ma.ValidationError("A credential is a token or a certificate, not both.", "certificate")


class ExplanationRequestSchema(ma.Schema):
    """Either `decision`, a request id or record id of the log, or a `subject` and an `operation`.

    It is explained by `release`; without one a decision by what decided it, and a subject by what is in force in
    `environment`. `groups` are those that an issuer vouches for. What the request says may be given as one `text`, in
    `direction` and `field`, or as `messages`; without them no text is judged. `credential`: who would know the caller.
    """

    decision = _text()
    subject = fields.String(validate=validate.Regexp(r"(user|service):[A-Za-z0-9._@-]{1,128}\Z"))
    groups = _names(load_default=[])
    operation = _text()
    model = _text(load_default=None, allow_none=True)
    facts = fields.Nested(HypothesisFactsSchema, load_default={})
    time = Time(load_default=None)
    text = _text(longest=MOST_CHARACTERS, shortest=0)
    direction = fields.Enum(Direction, by_value=True)
    field = fields.Enum(FieldClass, by_value=True)
    messages = fields.List(fields.Nested(AskedMessageSchema), validate=validate.Length(max=MOST_TEXTS))
    credential = fields.Nested(AskedCredentialSchema, load_default=None, allow_none=True)
    release = _text(load_default=None, allow_none=True)
    environment = _text(load_default=DEFAULT_ENVIRONMENT)

    @ma.validates_schema
    def _says_one_thing(self, given: dict[str, Any], **_: Any) -> None:
        asked = {"subject", "operation"} & given.keys()
        if "decision" in given:
            if asked:
                raise ma.ValidationError("A decision has its subject and operation: leave these out.", "decision")
        elif asked != {"subject", "operation"}:
            raise ma.ValidationError("Give a subject and an operation, or a decision.", "subject")

    @ma.validates_schema
    def _says_texts_once(self, given: dict[str, Any], **_: Any) -> None:
        if "messages" in given and {"text", "direction", "field"} & given.keys():
            raise ma.ValidationError("Give a text or messages, not both.", "messages")
        if {"direction", "field"} & given.keys() and "text" not in given:
            raise ma.ValidationError("It says where a text stands: give the text.", "text")
        if sum(len(each["content"]) for each in given.get("messages", ())) > MOST_CHARACTERS:
            raise ma.ValidationError(f"They have more than {MOST_CHARACTERS} characters together.", "messages")


class RulePlaceSchema(ma.Schema):
    file = fields.String(required=True)
    line = fields.Integer(required=True)
    column = fields.Integer(required=True)
    text = fields.String(required=True, allow_none=True)


class ExplainedReasonSchema(ma.Schema):
    code = fields.String(required=True)
    policy = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True, allow_none=True)
    source = fields.Nested(RulePlaceSchema, required=True, allow_none=True)


class ExplainedRuleSchema(ma.Schema):
    rule = fields.String(required=True)
    role = fields.String(required=True)
    source = fields.Nested(RulePlaceSchema, required=True, allow_none=True)


class ExplainedPolicySchema(ma.Schema):
    policy = fields.String(required=True)
    mode = fields.String(required=True)
    outcome = fields.String(required=True)
    rules = fields.List(fields.Nested(ExplainedRuleSchema), required=True)
    facts = fields.Dict(required=True)
    source = fields.Nested(RulePlaceSchema, required=True, allow_none=True)


class ExplainedStageSchema(ma.Schema):
    """`verdict`: `pass`, `refuse`, `neutral`, `not-asked` (refused before), `unknown` (it needs texts or counts)."""

    stage = fields.String(required=True)
    verdict = fields.String(required=True)
    said = fields.List(fields.Nested(ExplainedPolicySchema), required=True)


class DifferenceSchema(ma.Schema):
    """A single change of the request with which the decision is `effect`. It was decided, not derived."""

    what = fields.String(required=True)
    to = fields.Raw(required=True, allow_none=True)
    effect = fields.String(required=True)
    reasons = fields.List(fields.String(), required=True)


class ExplanationSchema(ma.Schema):
    """Stages in their order. `tried` single changes were decided; `differences` are those with another effect."""

    release = fields.String(required=True)
    revision = fields.String(required=True)
    environment = fields.String(required=True)
    effect = fields.String(required=True)
    reasons = fields.List(fields.Nested(ExplainedReasonSchema), required=True)
    would_have = fields.String(required=True, allow_none=True)
    groups = fields.List(fields.String(), required=True)
    stages = fields.List(fields.Nested(ExplainedStageSchema), required=True)
    differences = fields.List(fields.Nested(DifferenceSchema), required=True)
    tried = fields.Integer(required=True)


@resource.endpoint(
    "POST",
    "/explanations",
    takes_key=False,
    permission=Permission.EXPLANATIONS_ASK,
    body=ExplanationRequestSchema,
    gives=ExplanationSchema,
)
def explain(body: dict[str, Any]) -> dict[str, Any]:
    """Explain what a policy says of a request, stage by stage, and what would have to differ. Nothing is kept."""
    return plane().hypotheses.explain(
        caller(),
        hypothesis=None if "decision" in body else _hypothesis(body),
        recorded=body.get("decision"),
        release=body["release"],
        environment=body["environment"],
        also=shown_of(body),
    )


def _hypothesis(body: dict[str, Any]) -> Hypothesis:
    kind, _, name = body["subject"].partition(":")
    facts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in body["facts"].items()
    }
    return Hypothesis(
        subject=Subject(type=kind, id=name, groups=tuple(sorted(set(body["groups"])))),
        operation=body["operation"],
        model=body["model"],
        facts=RequestFacts(**facts),
        at=body["time"],
    )
