# SPDX-License-Identifier: Apache-2.0
"""The command line: `gatehouse-inference serve` and `gatehouse-inference build-parrot`."""

import sys
from pathlib import Path

import click

from inference.cluster.options import cluster_options
from inference.cluster.settings import ClusterSettings
from inference.embeddings.bundled import bundled_encoder
from inference.logs import configure_logs
from inference.model_options import read_models
from inference.offline import stay_offline
from inference.settings import (
    Classifier,
    ModelRefused,
    ServeSettings,
    ServingSettings,
    SettingsWrong,
    TcpListen,
    TlsFiles,
    UnixListen,
    tcp_listen,
    tls_files,
)

_FILE = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """An OpenAI-compatible inference server for local models."""


@main.command("build-parrot")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def build_parrot_command(out: Path) -> None:
    """Write the demonstration model into the directory OUT, unless it is there and whole."""
    from inference.parrot.directory import build_parrot  # noqa: PLC0415  # only this command needs it

    click.echo(f"parrot built: {out}" if build_parrot(out) else f"parrot is there: {out}")


@main.command("serve")
@click.option(
    "--model", "models", metavar="NAME=DIR", multiple=True, help="Serve the model in DIR as NAME; repeatable."
)
@click.option("--model-dir", type=_FILE, help="A local Hugging Face directory with safetensors.")
@click.option("--name", "names", multiple=True, help="A name for the model in --model-dir; repeatable.")
@click.option("--embeddings", is_flag=True, help="Serve the encoder that comes along too, as all-minilm-l6-v2.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one and logs it.")
@click.option("--socket", type=_FILE, help="Listen on this Unix socket, and on no address.")
@click.option("--socket-group", help="A group whose members may connect to it; else its owner only.")
@click.option("--tls-cert", type=_FILE, help="The server's certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option("--client-ca", type=_FILE, help="Only peers with a certificate of this CA are let in.")
@click.option("--client-name", "client_names", multiple=True, help="Of those, only peers of this name; repeatable.")
@click.option("--insecure-loopback", is_flag=True, help="Without TLS or client certificates, on a loopback address.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="The address of metrics and health.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Their port; 0 takes a free one and logs it.",
)
@click.option("--user", help="Become this user once the sockets are bound; needs root.")
@click.option(
    "--queue-size", "queue_sizes", metavar="[NAME=]N", multiple=True, help="Requests that may wait for a model.  [64]"
)
@click.option(
    "--max-context",
    "max_contexts",
    metavar="[NAME=]N",
    multiple=True,
    help="Tokens of prompt and answer, if fewer than the model's.",
)
@click.option(
    "--max-running",
    metavar="[NAME=]N",
    multiple=True,
    help="Requests in one batch.  [32 on a CPU, 256 on a GPU]",
)
@click.option(
    "--kv-cache-mib",
    "kv_caches",
    metavar="[NAME=]N",
    multiple=True,
    help="Memory for keys and values.  [128 on a CPU; on a GPU what it has free]",
)
@click.option(
    "--screen/--no-screen",
    "screen",
    default=None,
    help="Serve the prompt screen at /v1/moderations; with --screen, no model is needed.  [screen]",
)
@click.option(
    "--screen-classifier",
    type=click.Choice(["auto", "minilm", "ngram"]),
    default="auto",
    show_default=True,
    help="What the screen judges by; auto takes ngram where the encoder is not installed.",
)
@cluster_options
def serve_command(
    *,
    models: tuple[str, ...],
    model_dir: Path | None,
    names: tuple[str, ...],
    embeddings: bool,
    host: str,
    port: int | None,
    socket: Path | None,
    socket_group: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    client_names: tuple[str, ...],
    insecure_loopback: bool,
    metrics_host: str,
    metrics_port: int,
    user: str | None,
    queue_sizes: tuple[str, ...],
    max_contexts: tuple[str, ...],
    max_running: tuple[str, ...],
    kv_caches: tuple[str, ...],
    screen: bool | None,
    screen_classifier: Classifier,
    cluster: ClusterSettings | None,
) -> None:
    """Serve models under their names until SIGTERM."""
    stay_offline()
    configure_logs()
    try:
        from inference.server import serve  # noqa: PLC0415  # after the environment is set
    except ModuleNotFoundError as exc:
        click.echo(
            f"error: {exc.name} is not installed: the server needs the group `inference` (uv sync --group inference)",
            err=True,
        )
        sys.exit(2)
    try:
        serving = ServingSettings(
            models=read_models(
                model_dir=model_dir,
                names=names,
                models=models,
                queue_sizes=queue_sizes,
                max_contexts=max_contexts,
                max_running=max_running,
                kv_caches=kv_caches,
                bundled=bundled_encoder() if embeddings else None,
                none_is_fine=bool(screen),
            ),
            screen=None if screen is False else screen_classifier,
        )
        serve(
            ServeSettings(
                serving=serving,
                listen=_listen(
                    host=host,
                    port=port,
                    socket=socket,
                    socket_group=socket_group,
                    tls=tls_files(certificate=tls_cert, key=tls_key, client_ca=client_ca),
                    client_names=frozenset(client_names),
                    insecure_loopback=insecure_loopback,
                ),
                metrics_host=metrics_host,
                metrics_port=metrics_port,
                user=user,
            ),
            cluster=cluster,
        )
    except (SettingsWrong, ModelRefused) as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(2)


def _listen(
    *,
    host: str,
    port: int | None,
    socket: Path | None,
    socket_group: str | None,
    tls: TlsFiles | None,
    client_names: frozenset[str],
    insecure_loopback: bool,
) -> TcpListen | UnixListen:
    """One place to listen on: an address or a socket."""
    if socket is not None:
        if port is not None or tls is not None or client_names or insecure_loopback:
            raise SettingsWrong("--socket stands alone: leave out --port, the options of TLS and --insecure-loopback")
        return UnixListen(path=socket, group=socket_group)
    if socket_group is not None:
        raise SettingsWrong("--socket-group belongs to --socket: give both")
    if port is None:
        raise SettingsWrong("nowhere to listen: give --port or --socket")
    return tcp_listen(host=host, port=port, tls=tls, client_names=client_names, insecure_loopback=insecure_loopback)
