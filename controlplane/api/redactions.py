# SPDX-License-Identifier: Apache-2.0
"""/v1/redactions: try what redaction makes of a text. Nothing of the text is stored or logged."""

from collections.abc import Mapping
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from controlplane.api.endpoint import SOURCE_BODY_BYTES, Resource
from controlplane.api.fields import text as string  # a schema here has a member of that name
from controlplane.api.guard import caller, plane
from controlplane.api.policies import DocumentSchema
from controlplane.authz.permissions import Permission
from controlplane.services.redactions import PoliciesToTest, RedactionTest, TextToTest
from policies.contracts.snapshot import Direction, FieldClass
from policies.redaction.examination import Asked, PlacedFinding

resource = Resource("redactions", __name__, url_prefix="/v1", description="What redaction makes of a text.")

# As long as all texts of one request may be together: what is examined here keeps others waiting.
_MAX_CHARACTERS: Final = 256 * 1024
_MAX_MESSAGES: Final = 256
_MAX_POLICIES: Final = 20
_CLASS_OF_ROLE: Final[Mapping[str, FieldClass]] = {
    "system": FieldClass.SYSTEM,
    "developer": FieldClass.DEVELOPER,
    "user": FieldClass.USER,
    "assistant": FieldClass.ASSISTANT_TEXT,
    "tool": FieldClass.TOOL_RESULT,
}
_CLASS_OF_DIRECTION: Final[Mapping[Direction, FieldClass]] = {
    Direction.REQUEST: FieldClass.USER,
    Direction.ANSWER: FieldClass.ASSISTANT_TEXT,
}


class MessageSchema(ma.Schema):
    role = fields.String(required=True, validate=validate.OneOf(list(_CLASS_OF_ROLE)))
    content = string(longest=_MAX_CHARACTERS, shortest=0, required=True)


class RedactionTestSchema(ma.Schema):
    """A `text` or `messages`, and the policies to try: ids of the working set and documents, or an environment's."""

    text = string(longest=_MAX_CHARACTERS, shortest=0)
    messages = fields.List(fields.Nested(MessageSchema), validate=validate.Length(min=1, max=_MAX_MESSAGES))
    policies = fields.List(
        string(), load_default=None, allow_none=True, validate=validate.Length(min=1, max=_MAX_POLICIES)
    )
    documents = fields.List(
        fields.Nested(DocumentSchema),
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=_MAX_POLICIES),
    )
    environment = string(load_default=None, allow_none=True)
    direction = fields.Enum(Direction, by_value=True, load_default=None, allow_none=True)
    field = fields.Enum(FieldClass, by_value=True, load_default=None, allow_none=True)
    operation = string(load_default=None, allow_none=True)
    model = string(load_default=None, allow_none=True)
    subject = string(load_default=None, allow_none=True)
    groups = fields.List(string(), load_default=None, allow_none=True, validate=validate.Length(max=100))

    @ma.validates_schema
    def says_one_thing(self, given: dict[str, Any], **_: Any) -> None:
        """Refuse what could be meant in two ways."""
        if ("text" in given) == ("messages" in given):
            raise ma.ValidationError("Give either text or messages.")
        if given.get("environment") and (given["policies"] or given["documents"]):
            raise ma.ValidationError("Give either an environment or policies.", "environment")
        if given.get("field") and "messages" in given:
            raise ma.ValidationError("The field of a message is that of its role.", "field")
        if given.get("groups") and not given.get("subject"):
            raise ma.ValidationError("Groups are those of a subject: give it too.", "groups")
        names = [document["filename"] for document in given["documents"] or ()]
        if len(set(names)) != len(names):
            raise ma.ValidationError("Two documents have one file name.", "documents")
        if sum(len(message["content"]) for message in given.get("messages", ())) > _MAX_CHARACTERS:
            raise ma.ValidationError(f"Longer than {_MAX_CHARACTERS} characters together.", "messages")


class TestedFindingSchema(ma.Schema):
    """`start` and `end` count code points of the text at `pointer` as it was sent, `end` exclusive."""

    pointer = fields.String(required=True)
    type = fields.String(required=True)
    detector = fields.String(required=True)
    policy = fields.String(required=True)
    rule = fields.String(required=True)
    action = fields.String(required=True)
    start = fields.Integer(required=True)
    end = fields.Integer(required=True)
    score = fields.Float(required=True)


class BlockedBySchema(ma.Schema):
    policy = fields.String(required=True)
    rule = fields.String(required=True)
    detector = fields.String(required=True)


class TestedPolicySchema(ma.Schema):
    id = fields.String(required=True)
    version = fields.String(required=True)
    mode = fields.String(required=True)


class RedactionTestResultSchema(ma.Schema):
    """What would leave: `text` or `messages`, as was asked; null where a rule blocks, since nothing leaves then."""

    text = fields.String(allow_none=True)
    messages = fields.List(fields.Nested(MessageSchema), allow_none=True)
    findings = fields.List(fields.Nested(TestedFindingSchema), required=True)
    blocked_by = fields.Nested(BlockedBySchema, required=True, allow_none=True)
    policies = fields.List(fields.Nested(TestedPolicySchema), required=True)


@resource.endpoint(
    "POST",
    "/redactions:test",
    takes_key=False,
    permission=Permission.REDACTIONS_TEST,
    body=RedactionTestSchema,
    gives=RedactionTestResultSchema,
    max_body_bytes=4 * SOURCE_BODY_BYTES,
)
def test_redaction(body: dict[str, Any]) -> dict[str, Any]:
    """Show what redaction makes of a text, and who finds what in it. Stores and logs nothing of it."""
    direction = body["direction"] or (Direction.REQUEST if "messages" in body else Direction.ANSWER)
    asked = Asked(
        direction=direction,
        operation=body["operation"],
        model=body["model"],
        subject=_subject(body),
    )
    policies = PoliciesToTest(
        ids=body["policies"] or (),
        documents={each["filename"]: each["source"].encode() for each in body["documents"] or ()},
        environment=body["environment"],
    )
    tested = plane().redactions.test(caller(), _texts(body, direction), policies, asked)
    return {
        **_left(body, tested),
        "findings": [
            _finding(pointer, finding) for pointer, examined in tested.texts.items() for finding in examined.findings
        ],
        "blocked_by": tested.blocked,
        "policies": tested.policies,
    }


def _texts(body: Mapping[str, Any], direction: Direction) -> list[TextToTest]:
    if "messages" not in body:
        field = body["field"] or _CLASS_OF_DIRECTION[direction]
        return [TextToTest(pointer="/text", field=field, text=body["text"])]
    return [
        TextToTest(pointer=_content(place), field=_CLASS_OF_ROLE[message["role"]], text=message["content"])
        for place, message in enumerate(body["messages"])
    ]


def _left(body: Mapping[str, Any], tested: RedactionTest) -> dict[str, Any]:
    if "messages" not in body:
        return {"text": None if tested.blocked else tested.texts["/text"].text}
    messages = [
        {"role": message["role"], "content": tested.texts[_content(place)].text}
        for place, message in enumerate(body["messages"])
    ]
    return {"messages": None if tested.blocked else messages}


def _content(place: int) -> str:
    return f"/messages/{place}/content"


def _subject(body: Mapping[str, Any]) -> frozenset[str] | None:
    return (
        frozenset({body["subject"], *(f"group:{name}" for name in body["groups"] or ())}) if body["subject"] else None
    )


def _finding(pointer: str, finding: PlacedFinding) -> dict[str, Any]:
    return {
        "pointer": pointer,
        "type": finding.kind,
        "detector": finding.detector,
        "policy": finding.policy,
        "rule": finding.rule,
        "action": finding.action,
        "start": finding.start,
        "end": finding.end,
        "score": finding.score,
    }
