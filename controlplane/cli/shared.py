# SPDX-License-Identifier: Apache-2.0
"""What the subcommands have in common: who calls which server, how results are shown, what failures cost."""

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table

from controlplane.client import ApiClient, ApiError, ApiUnreachable
from controlplane.local.control_socket import NotRunning
from controlplane.local.home import Home
from controlplane.local.supervisor import PartFailed


class NothingAnswers(click.ClickException):
    """No control plane or no supervisor is there: exit code 3, so that a script can tell it from a refusal."""

    exit_code = 3


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

P = ParamSpec("P")
R = TypeVar("R")


def home() -> Home:
    """Return the home that GATEHOUSE_HOME names, `.gatehouse` in this folder otherwise."""
    return Home.from_environment(os.environ)


def api(role: str) -> ApiClient:
    """Return a client that acts as `role`.

    GATEHOUSE_API_URL and GATEHOUSE_TOKEN are taken where both are set; else the home's `credentials.json`.
    """
    url, token = os.environ.get("GATEHOUSE_API_URL"), os.environ.get("GATEHOUSE_TOKEN")
    if url and token:
        return ApiClient(url, token)
    held = home().read_credentials()
    if not held:
        raise click.UsageError(
            f"no credentials: {home().credentials} does not exist. Start Gatehouse with `gatehouse run`, or set "
            "GATEHOUSE_API_URL and GATEHOUSE_TOKEN.",
        )
    return ApiClient(url or held["api_url"], token or held["tokens"][role])


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)


def fails_cleanly(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the failures a user can do something about into a message and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ApiUnreachable, NotRunning) as exc:
            raise NothingAnswers(str(exc)) from exc
        except ApiError as exc:
            if kwargs.get("as_json"):
                show_json(exc.problem)
                raise click.exceptions.Exit(1) from exc
            raise click.ClickException(str(exc)) from exc
        except PartFailed as exc:
            raise click.ClickException(str(exc)) from exc

    return run


def show_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, not markup: a policy's name must not be able to colour or hide anything.
        table.add_row(*(_plain(cell) for cell in row))
    out.print(table)


def _plain(cell: object) -> str:
    text = ", ".join(map(str, cell)) if isinstance(cell, list | tuple) else "" if cell is None else str(cell)
    return "".join(letter if letter.isprintable() else "�" for letter in text or "–").replace("[", r"\[")


def codes(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(reason["code"]) for reason in reasons]
