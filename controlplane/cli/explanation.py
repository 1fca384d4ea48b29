# SPDX-License-Identifier: Apache-2.0
"""What `gatehouse policy explain` asks, and how it shows what comes of it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from controlplane.cli.shared import say
from controlplane.cli.tables import show_table

if TYPE_CHECKING:
    from controlplane.services.rego_engines import RegoEngines


ALSO: Final = (
    *("text_file", "direction", "field", "messages_file", "issuer", "audience", "certificate"),
    *("scope_operations", "scope_models"),
)
_CERTIFICATE_FIELDS: Final = ("san-uri", "san-dns", "cn")
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")


def question(
    *,
    subject: str,
    operation: str,
    model: str | None,
    groups: Sequence[str],
    max_tokens: int | None,
    tools: Sequence[str],
    body_bytes: int | None,
    stream: bool,
    at: str | None,
) -> dict[str, Any]:
    """Return the body of `POST /v1/explanations`."""
    given = {"max_tokens": max_tokens, "tools": list(tools), "body_bytes": body_bytes, "stream": stream}
    facts = {name: value for name, value in given.items() if value is not None and value is not False and value != []}
    asked = {"subject": subject, "operation": operation, "model": model, "groups": list(groups), "time": at}
    return {name: value for name, value in asked.items() if value not in (None, [])} | {"facts": facts}


def beside(
    *,
    text_file: TextIO | None,
    direction: str | None,
    field: str | None,
    messages_file: TextIO | None,
    issuer: str | None,
    audience: str | None,
    certificate: str | None,
    scope_operations: Sequence[str],
    scope_models: Sequence[str],
) -> dict[str, Any]:
    """Return what the body says beside the request: its texts and its credential."""
    said: dict[str, Any] = {} if text_file is None else {"text": text_file.read().removesuffix("\n")}
    said |= {name: value for name, value in (("direction", direction), ("field", field)) if value is not None}
    if messages_file is not None:
        said["messages"] = _messages(messages_file)
    of_text = said.keys() & {"text", "direction", "field"}
    if of_text and ("messages" in said or "text" not in said):
        raise click.UsageError("--direction and --field say where the text of --text-file stands; give it alone")
    credential: dict[str, Any] = {}
    if certificate is not None:
        where, _, name = certificate.partition("=")
        if where not in _CERTIFICATE_FIELDS or not name or issuer or audience:
            raise click.UsageError(f"--certificate is FIELD=NAME, alone; FIELD is {', '.join(_CERTIFICATE_FIELDS)}")
        credential["certificate"] = {"field": where, "name": name}
    credential |= {name: value for name, value in (("issuer", issuer), ("audience", audience)) if value is not None}
    scope = {"operations": list(scope_operations), "models": list(scope_models)}
    narrowed = {name: listed for name, listed in scope.items() if listed}
    if narrowed:
        credential["scope"] = narrowed
    return said | ({"credential": credential} if credential else {})


def _messages(file: TextIO) -> list[dict[str, str]]:
    try:
        messages = json.load(file)
    except ValueError:
        messages = None
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        raise click.UsageError('--messages-file holds a JSON list of {"role": …, "content": "…"}')
    return messages


def _is_message(message: object) -> bool:
    return (
        isinstance(message, dict)
        and message.keys() == {"role", "content"}
        and message["role"] in _ROLES
        and isinstance(message["content"], str)
    )


def offline(asked: Mapping[str, Any], files: Mapping[str, bytes], *, rego: "RegoEngines") -> dict[str, Any]:
    """Return the explanation by the documents of `files`. Raises PolicyRejected."""
    # Only this command needs the compiler.
    from controlplane.services.hypotheses import (  # noqa: PLC0415
        Hypothesis,
        explained_by,
        request_of,
        shown,
        shown_of,
    )
    from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT  # noqa: PLC0415
    from controlplane.services.rule_places import RulePlaces  # noqa: PLC0415
    from policies.compiler.compile import compile_files  # noqa: PLC0415
    from policies.contracts.request import RequestFacts, Subject  # noqa: PLC0415

    kind, _, name = str(asked["subject"]).partition(":")
    if kind not in {"user", "service"} or not name:
        raise click.UsageError("--subject is user:NAME or service:NAME")
    now = datetime.now(UTC)
    try:
        at = datetime.fromisoformat(asked["time"]) if "time" in asked else now
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.UsageError("--time is an RFC 3339 time with its zone, such as 2026-11-20T18:00:00Z")
    documents, snapshot = compile_files(
        files,
        tenant=DEFAULT_TENANT,
        environment=DEFAULT_ENVIRONMENT,
        opa_binary=rego.opa_binary,
        engines={rego.nodes},
    )
    facts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in asked["facts"].items()
    }
    hypothesis = Hypothesis(
        subject=Subject(type=kind, id=name, groups=tuple(sorted(set(asked.get("groups", ()))))),
        operation=asked["operation"],
        model=asked.get("model"),
        facts=RequestFacts(**facts),
        at=at,
    )
    try:
        also = shown_of(asked)
    except ValueError:
        raise click.UsageError("--field is the class of a text, such as user, system or tool-result") from None
    explained = asyncio.run(explained_by(rego, request_of(hypothesis, snapshot, now=at), snapshot, also))
    head = {"release": None, "revision": snapshot.revision, "environment": snapshot.environment}
    return head | shown(explained, RulePlaces.of_documents(documents, files))


def show(found: Mapping[str, Any]) -> None:
    """Print an explanation for people."""
    whose = found["release"] or "these documents"
    say(f"{found['effect']}, by {whose} ({found['revision'][:19]}) in {found['environment']}")
    for reason in found["reasons"]:
        say(f"- {reason['code']}{_of(reason)}{_at(reason['source'])}")
    if found["groups"]:
        say(f"groups: {', '.join(found['groups'])}")
    say("")
    rows = [row for stage in found["stages"] for row in _rows(stage)]
    show_table(("stage", "verdict", "policy", "outcome", "rules", "where"), rows)
    say("")
    if not found["differences"]:
        say(f"None of {found['tried']} single changes would make another decision of it.")
        return
    say(f"It would be otherwise with one of these ({found['tried']} single changes were tried):")
    show_table(
        ("what", "to", "effect", "reasons"),
        [(each["what"], _to(each["to"]), each["effect"], each["reasons"]) for each in found["differences"]],
    )


def _rows(stage: Mapping[str, Any]) -> list[tuple[object, ...]]:
    if not stage["said"]:
        return [(stage["stage"], stage["verdict"], None, None, None, None)]
    return [
        (
            stage["stage"],
            stage["verdict"],
            said["policy"] if said["mode"] == "enforce" else f"{said['policy']} ({said['mode']})",
            said["outcome"],
            [f"{rule['rule']} {rule['role']}" for rule in said["rules"]],
            _place(next((rule["source"] for rule in said["rules"] if rule["source"]), said["source"])),
        )
        for said in stage["said"]
    ]


def _to(value: object) -> object:
    return "none" if value in (None, []) else str(value)


def _of(reason: Mapping[str, Any]) -> str:
    return f" of {reason['policy']}" if reason["policy"] else ""


def _at(source: Mapping[str, Any] | None) -> str:
    return f" ({_place(source)}: {source['text']})" if source else ""


def _place(source: Mapping[str, Any] | None) -> str | None:
    return f"{source['file']}:{source['line']}" if source else None
