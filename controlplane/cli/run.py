# SPDX-License-Identifier: Apache-2.0
"""`gatehouse run`: the whole of Gatehouse on this machine, until Ctrl-C."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import click

from controlplane.cli.shared import err, fails_cleanly, home
from controlplane.local.opa_binary import TOOLS, ensure_opa
from controlplane.local.parts import CONTROL_PLANE_OPTIONS, NODE_OPTIONS, RunSettings, free_port
from controlplane.local.runner import AlreadyRunning, run_until_stopped


@click.command()
@click.option("--upstream", help="Origin of an OpenAI-compatible server to stand before, instead of the demonstration.")
@click.option(
    "--upstream-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the API key that the upstream wants. Clients never see it.",
)
@click.option("--api-port", envvar="GATEHOUSE_API_PORT", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--proxy-port",
    envvar="GATEHOUSE_PROXY_PORT",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
)
@click.option(
    "--health-port",
    envvar="GATEHOUSE_HEALTH_PORT",
    type=click.IntRange(1, 65535),
    help="Where the proxy's readiness and metrics are; any free port unless given.",
)
@click.option("--workers", type=click.IntRange(1, 256), help="Proxy worker processes; one per core unless given.")
@click.option("--embedded-rego", is_flag=True, help="Evaluate guards in the proxy's process, without an OPA server.")
@fails_cleanly
def run(
    *,
    upstream: str | None,
    upstream_key_file: Path | None,
    api_port: int,
    proxy_port: int,
    health_port: int | None,
    workers: int | None,
    embedded_rego: bool,
) -> None:
    """Start the control plane, OPA, the proxy and an inference server; stop them in order on Ctrl-C.

    Certificates, limits and timeouts of the proxy are taken from the environment: see the proxy's settings.
    """
    found = None if embedded_rego else ensure_opa(TOOLS, announce=_say)
    if found is None:
        _say(
            "Guards are evaluated by the [bold]embedded Rego engine[/], not by an OPA server"
            + (", as asked." if embedded_rego else ": none was found and none could be got here."),
        )
    settings = RunSettings(
        home=home(),
        api_port=api_port,
        proxy_port=proxy_port,
        upstream=upstream,
        upstream_key_file=upstream_key_file,
        opa=found.path if found else None,
        workers=workers,
        health_port=health_port or free_port(),
        node_options=_given(NODE_OPTIONS),
        control_plane_options=_given(CONTROL_PLANE_OPTIONS),
    )
    try:
        asyncio.run(run_until_stopped(settings, announce=_say))
    except AlreadyRunning as exc:
        raise click.ClickException(str(exc)) from exc


def _given(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _say(text: str) -> None:
    # Not wrapped: what is shown is there to be copied.
    err.print(text, soft_wrap=True)
