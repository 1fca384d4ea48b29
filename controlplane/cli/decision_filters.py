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
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items() if value}
