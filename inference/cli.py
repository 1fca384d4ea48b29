# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m inference serve` and `python -m inference build-parrot`."""

import os
import sys
from pathlib import Path

import click

from inference.logs import configure_logs
from inference.settings import ModelRefused, ServeSettings, SettingsWrong, require_protection, tls_files

_FILE = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """An OpenAI-compatible inference server for one local model."""


@main.command("build-parrot")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def build_parrot_command(out: Path) -> None:
    """Write the demonstration model into the directory OUT, unless it is there and whole."""
    from inference.parrot.directory import build_parrot  # noqa: PLC0415  # only this command needs it

    click.echo(f"parrot built: {out}" if build_parrot(out) else f"parrot is there: {out}")


@main.command("serve")
@click.option("--model-dir", type=_FILE, required=True, help="A local Hugging Face directory with safetensors.")
@click.option("--name", "names", multiple=True, required=True, help="A name clients call the model by; repeatable.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="The port; 0 takes a free one and logs it.")
@click.option("--tls-cert", type=_FILE, help="The server's certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option("--client-ca", type=_FILE, help="Only peers with a certificate of this CA are let in.")
@click.option("--insecure-loopback", is_flag=True, help="Serve without TLS, on a loopback address only.")
@click.option(
    "--queue-size", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Requests that may wait."
)
@click.option("--max-context", type=click.IntRange(2), help="Tokens of prompt and answer, if fewer than the model's.")
def serve_command(
    *,
    model_dir: Path,
    names: tuple[str, ...],
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    insecure_loopback: bool,
    queue_size: int,
    max_context: int | None,
) -> None:
    """Serve the model in MODEL_DIR under its names until SIGTERM."""
    # Before any library reads them: nothing is fetched, and no tokenizer starts threads of its own.
    os.environ.update(
        HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false"
    )
    configure_logs()
    from inference.server import serve  # noqa: PLC0415  # after the environment is set

    try:
        tls = tls_files(certificate=tls_cert, key=tls_key, client_ca=client_ca)
        require_protection(tls=tls, host=host, insecure_loopback=insecure_loopback)
        serve(
            ServeSettings(
                model_dir=model_dir,
                names=tuple(dict.fromkeys(names)),
                host=host,
                port=port,
                tls=tls,
                queue_size=queue_size,
                max_context=max_context,
            )
        )
    except (SettingsWrong, ModelRefused) as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(2)
