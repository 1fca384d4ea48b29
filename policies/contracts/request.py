# SPDX-License-Identifier: Apache-2.0
"""What is asked of the decision point. Subject, action, resource and context as in OpenID AuthZEN 1.0."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policies.contracts.codec import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who asks. `type` is `user` or `service`.

    `groups` are those that the issuer of a token vouches for, by their names in policy. Memberships that an access
    policy lists are not here: a group has one owner, the policy that lists its members or the issuer that names it.
    """

    type: str
    id: str
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is asked for: `model` with the model's exact name, or `route` with the operation's, where none is named."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What guards may know of a request body: its parameters and shape, none of its text.

    `max_tokens` is the larger of `max_tokens` and `max_completion_tokens`, or `max_output_tokens`, None where none is
    given. `tools` are names of functions offered to the model, `roles` the roles of the messages, both in order.
    """

    stream: bool = False
    max_tokens: int | None = None
    n: int = 1
    message_count: int = 0
    roles: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    tool_choice: str | None = None
    text_chars: int = 0
    body_bytes: int = 0

    def to_json(self) -> dict[str, JSON]:
        return {
            "stream": self.stream,
            "max_tokens": self.max_tokens,
            "n": self.n,
            "message_count": self.message_count,
            "roles": self.roles,
            "tools": self.tools,
            "tool_choice": self.tool_choice,
            "text_chars": self.text_chars,
            "body_bytes": self.body_bytes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What an enforcement point that is not our proxy says beside the names: JSON objects that nobody has checked.

    They are for guards alone, which see them at `properties` of each. No membership and no grant follows from them.
    """

    subject: Mapping[str, Any]
    action: Mapping[str, Any]
    resource: Mapping[str, Any]
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """One question to the decision point. `action` is the operation of the matched route, such as `chat.completions`.

    `at` is aware UTC: guards see it as `input.context.time`, so that a replay asks with the time of the original.
    `properties` are there where another enforcement point asks; the proxy has none.
    """

    request_id: str
    tenant: str
    environment: str
    subject: Subject
    action: str
    resource: Resource
    facts: RequestFacts
    at: datetime
    properties: Properties | None = None
