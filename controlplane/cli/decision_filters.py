# SPDX-License-Identifier: Apache-2.0
"""The filters of `GET /v1/decisions` as options: every command that asks for decisions has the same ones."""

from collections.abc import Callable
from typing import Any

import click


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the filters of `GET /v1/decisions`; a repeated one means either."""
    for name, text in reversed(
        (
            ("subject", "Such as user:alice."),
            ("outcome", "allow, deny or error_deny."),
            ("reason", "A reason code."),
            ("model", "An exact model id."),
            ("policy", "The id of a policy that answered."),
        ),
    ):
        command = click.option(f"--{name}", multiple=True, help=text)(command)
    command = click.option("--to", help="RFC 3339 time; before it.")(command)
    return click.option("--from", "from_", help="RFC 3339 time; at or after it.")(command)


def asked_of(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `filters` that were given, as parameters of a query."""
    asked["from"] = asked.pop("from_")
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asked.items()
        if value not in (None, (), "")
    }


def every_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Add all filters of `GET /v1/decisions` that records as they arrive have, too."""
    for name, text in reversed(
        (
            ("rule", "POLICY/RULE that gave a reason or found something."),
            ("verdict", "forwarded, redacted, blocked or cut."),
            ("would-have", "What policies that only warn or observe would have made of it."),
            ("environment", "An environment."),
            ("kind", "terminal, admission (not ended yet) or opa."),
            ("subject-type", "user or service."),
            ("key-id", "The id of a credential."),
            ("action", "An operation, such as chat.completions."),
            ("route", "The id of a route."),
            ("method", "An HTTP method."),
            ("status", "The status of the answer."),
            ("stream", "true or false."),
            ("revision", "The revision that decided."),
            ("serial", "The serial that decided."),
            ("detector", "A detector that found something."),
            ("finding-kind", "What was found, such as EMAIL_ADDRESS."),
            ("span", "The hash of a text that was found, s1:HEX."),
            ("obligation", "The type of an obligation."),
            ("replayable", "What the record says of deciding it again."),
            ("candidate-effect", "What a candidate said of it: allow, deny or error."),
            ("differs", "Whether that differs from what was decided: true or false."),
            ("source", "The worker that wrote the record."),
            ("boot", "Its process."),
            ("trace-id", "A trace."),
            ("request-id", "A request."),
            ("record-id", "A record."),
        ),
    ):
        command = click.option(f"--{name}", multiple=True, help=text)(command)
    command = click.option("--max-latency-ms", type=click.IntRange(0), help="It took at most so long.")(command)
    command = click.option("--min-latency-ms", type=click.IntRange(0), help="It took at least so long.")(command)
    return filters(command)
