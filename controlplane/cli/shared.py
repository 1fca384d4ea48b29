# SPDX-License-Identifier: Apache-2.0
"""What the subcommands have in common: who calls which server, how results are shown, what failures cost."""

import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import quote

import click
from rich.console import Console

from controlplane.client import ApiClient, ApiError, ApiUnreachable
from controlplane.local.control_socket import NotRunning
from controlplane.local.home import Home
from controlplane.local.supervisor import PartFailed


class NothingAnswers(click.ClickException):
    """No control plane or no supervisor is there: exit code 3, so that a script can tell it from a refusal."""

    exit_code = 3


# For `run`, which talks while it works. Results are plain lines, so that a pipe gets them unbroken.
err = Console(stderr=True, highlight=False)

_ORIGIN: Final = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\s\[\]]+)(?::\d{1,5})?/?", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)

P = ParamSpec("P")
R = TypeVar("R")


def home() -> Home:
    """Return the home that GATEHOUSE_HOME names, `.gatehouse` in this folder otherwise."""
    return Home.from_environment(os.environ)


def api(role: str) -> ApiClient:
    """Return a client that acts as `role`, open until the command ends.

    GATEHOUSE_API_URL and GATEHOUSE_TOKEN are taken where both are set; else the home's `credentials.json`.
    """
    url, token = os.environ.get("GATEHOUSE_API_URL"), os.environ.get("GATEHOUSE_TOKEN")
    if not (url and token):
        held = _held()
        url, token = url or held["api_url"], token or held["tokens"][role]
    if _ORIGIN.fullmatch(url) is None:
        raise click.UsageError("GATEHOUSE_API_URL is not an origin: set it to something like https://gatehouse.example")
    if _TOKEN.fullmatch(token) is None:
        raise click.UsageError("GATEHOUSE_TOKEN is not a token: it has characters that none has")
    client = ApiClient(url.rstrip("/"), token)
    click.get_current_context().call_on_close(client.close)
    return client


def _held() -> Mapping[str, Any]:
    try:
        held = home().read_credentials()
    except (OSError, ValueError) as exc:
        raise click.ClickException(f"{home().credentials} cannot be read ({type(exc).__name__})") from exc
    if not held:
        raise NothingAnswers(
            f"no credentials: {home().credentials} does not exist. Start Gatehouse with `gatehouse run`, or set "
            "GATEHOUSE_API_URL and GATEHOUSE_TOKEN.",
        )
    return held


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


def say(text: str) -> None:
    """Print a line of the result, as it is."""
    click.echo(text)


def complain(text: str) -> None:
    """Print a line about what is wrong."""
    click.echo(text, err=True)


def segment(text: str) -> str:
    """Return `text` as one segment of a path: what was typed must not lead elsewhere."""
    return quote(text, safe="")


def codes(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(reason["code"]) for reason in reasons]
