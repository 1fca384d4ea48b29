# SPDX-License-Identifier: Apache-2.0
"""`gatehouse policy explain`: what policies say of a request, and what would have to differ."""

from pathlib import Path
from typing import Any

import click

from controlplane.cli import explanation
from controlplane.cli.policy_sources import engine_option, read_files, rego_of, rejections_shown
from controlplane.cli.shared import api, fails_cleanly, json_option, show_json


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--subject", required=True, help="Such as user:alice.")
@click.option("--operation", required=True, help="Such as chat.completions.")
@click.option("--model", help="An exact model id; none for operations that name none.")
@click.option("--group", "groups", multiple=True, help="A group that an issuer vouches for; may be repeated.")
@click.option("--max-tokens", type=click.IntRange(0), help="What the request asks for at most.")
@click.option("--tool", "tools", multiple=True, help="A tool that it offers; may be repeated.")
@click.option("--body-bytes", type=click.IntRange(0), help="The size of its body.")
@click.option("--stream", is_flag=True, help="It asks for a stream.")
@click.option("--time", "at", help="RFC 3339 time at which it is asked; now, unless said.")
@click.option("--text-file", type=click.File(), help="What it says, judged as well and kept nowhere; '-' reads it.")
@click.option("--direction", type=click.Choice(["request", "answer"]), help="Whose text it is; default request.")
@click.option("--field", help="Where the text stands, such as tool-result; default user, or assistant-text.")
@click.option("--messages-file", type=click.File(), help="In place of a text: a JSON list of role and content.")
@click.option("--issuer", help="Its credential is a token of this issuer.")
@click.option("--audience", help="For whom the token is.")
@click.option("--certificate", help="Its credential is a certificate: FIELD=NAME, such as san-dns=jobs.example.")
@click.option("--scope-operation", "scope_operations", multiple=True, help="Its key is for this; may be repeated.")
@click.option("--scope-model", "scope_models", multiple=True, help="Its key is for this model; may be repeated.")
@click.option("--environment", help="Without PATHS: by what is in force there; default production.")
@click.option("--release", help="Without PATHS: by this release.")
@engine_option
@json_option
@fails_cleanly
def explain(
    paths: tuple[Path, ...],
    *,
    groups: tuple[str, ...],
    environment: str | None,
    release: str | None,
    engine: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Explain what policies say of a request, stage by stage, and what would have to differ.

    By the documents in PATHS (files or folders), without a server; without PATHS by what is in force.
    """
    also = {name: asked.pop(name) for name in explanation.ALSO}
    body = explanation.question(groups=groups, **asked) | explanation.beside(**also)
    if paths:
        if environment or release:
            raise click.UsageError("PATHS are explained by themselves: leave --environment and --release out")
        rego = rego_of(engine)
        with rejections_shown(as_json=as_json):
            found = explanation.offline(body, read_files(paths), rego=rego)
    else:
        chosen = {"environment": environment, "release": release}
        named = {name: value for name, value in chosen.items() if value is not None}
        found = api("author").post("/v1/explanations", body | named).body
    if as_json:
        show_json(found)
    else:
        explanation.show(found)
