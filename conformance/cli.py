# SPDX-License-Identifier: Apache-2.0
"""`gatehouse conformance` and `gatehouse conformance-upstream`."""

import contextlib
import itertools
import json
import shlex
import signal
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import httpx
from rich.console import Console
from rich.table import Table

from conformance.api_clients import api_clients
from conformance.case import Case, LostKey, Target
from conformance.case_numbers import CaseNumbers
from conformance.cases import CASES
from conformance.log_api import LogApi
from conformance.log_trials import run_on_log
from conformance.recorder import LocalRecorder, Recorder, RemoteRecorder
from conformance.report import as_evidence, as_told, counts_of
from conformance.runner import (
    CaseResult,
    NotReady,
    Trial,
    Verdict,
    check_ready,
    is_gatehouse,
    run,
    takes_any_model,
)
from conformance.scratch import ControlPlane
from conformance.scratch_trials import run_on_control_plane
from conformance.upstream import RecordingUpstream, log_server

_COLOURS: Final = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "dim"}


class NothingAnswers(click.ClickException):
    """Nothing listens at the address: exit code 3, as with every command of `gatehouse`."""

    exit_code = 3


@click.command()
@click.argument("url")
@click.option("--key", envvar="GATEHOUSE_KEY", show_envvar=True, help="The API key to ask with; none without it.")
@click.option("--revoked-key", help="A key that was revoked before the run: it must be refused.")
@click.option("--expired-key", help="A key that expired before the run: it must be refused.")
@click.option("--model", default="parrot", show_default=True, help="A model that the key may use.")
@click.option("--cases", "numbers", type=CaseNumbers(), help="Such as 1,5,20-24; all unless given.")
@click.option("--recorder", type=click.IntRange(1, 65535), help="Be the gateway's upstream on this port, and watch it.")
@click.option("--upstream-log", help="Watch a `conformance-upstream` by its log's URL.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.5, 600),
    default=10.0,
    show_default=True,
    help="Seconds for each row; rows that wait for the gateway's own deadlines have 75.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust this CA, in PEM, for the gateway's certificate.",
)
@click.option(
    "--knows-canary", is_flag=True, help="The gateway's policy knows the canary as a secret: run case 60 too."
)
@click.option(
    "--screens-prompts",
    is_flag=True,
    help="The gateway refuses prompts that overrule instructions: run cases 37 to 46, 51 and 52 too.",
)
@click.option("--api", "api_url", help="The control plane's URL, for cases 65 to 68 and 70: its log, and its policies.")
@click.option(
    "--api-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An auditor's token for --api, in a file: cases 67 and 68.",
)
@click.option(
    "--operator-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An operator's token for --api, in a file: cases 65, 66 and 70, in a new tenant.",
)
@click.option(
    "--verifier",
    default="gatehouse audit verify",
    show_default=True,
    help="The command that judges archives of the log, for case 68.",
)
@click.option(
    "--importer",
    default="gatehouse policy import casbin",
    show_default=True,
    help="The command that imports Casbin models, for case 70.",
)
@click.option("--insecure", is_flag=True, help="Trust any certificate of the gateway. It is shown the key.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON for scripts.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write a report here that `gatehouse release gate --suite` takes as evidence.",
)
def conformance(
    url: str,
    *,
    key: str | None,
    revoked_key: str | None,
    expired_key: str | None,
    model: str,
    numbers: frozenset[int] | None,
    recorder: int | None,
    upstream_log: str | None,
    timeout_s: float,
    ca: Path | None,
    knows_canary: bool,
    screens_prompts: bool,
    api_url: str | None,
    api_token_file: Path | None,
    operator_token_file: Path | None,
    verifier: str,
    importer: str,
    insecure: bool,
    as_json_: bool,
    report: Path | None,
) -> None:
    """Attack the gateway at URL, and say which attacks it withstands.

    Exits 0 only when no row fails. Whether nothing arrives upstream is checked with --recorder or --upstream-log.
    """
    lost = {LostKey.REVOKED: revoked_key, LostKey.EXPIRED: expired_key}
    lost_keys = {how: each for how, each in lost.items() if each is not None}
    target, context = _target(url, key=key, model=model, lost_keys=lost_keys), None
    if target.tls:
        context = _context(ca, insecure=insecure)
    chosen = [case for case in CASES if numbers is None or case.number in numbers]
    tokens = (api_token_file, operator_token_file)
    with _watching(recorder, upstream_log) as watched, api_clients(api_url, tokens, ca) as (auditor, operator):
        trial = Trial(target=target, timeout_s=timeout_s, recorder=watched, context=context, knows_canary=knows_canary)
        trial = replace(trial, screens_prompts=screens_prompts)
        log = None if auditor is None else LogApi(auditor)
        plane = None if operator is None else ControlPlane(operator, tuple(shlex.split(importer)))
        trial = replace(trial, log=log, control_plane=plane, verify=tuple(shlex.split(verifier)))
        try:
            trial = replace(trial, gatehouse=is_gatehouse(trial))
            check_ready(trial)
            trial = replace(trial, any_model=takes_any_model(trial))
            results = _with_progress(
                itertools.chain.from_iterable(tried(trial, chosen) for tried in (run, run_on_log, run_on_control_plane))
            )
        except NotReady as exc:
            raise click.ClickException(f"{exc}. Set --key and --model to what this gateway takes.") from exc
        except httpx.HTTPError as exc:
            raise click.ClickException(f"the log of the recording upstream fails: {type(exc).__name__}") from exc
        except OSError as exc:
            raise NothingAnswers(f"nothing answers at {target.host}:{target.port} ({exc})") from exc
    ordered = sorted(results, key=lambda result: result.case.number)
    if report is not None:
        report.write_text(json.dumps(as_evidence(trial, ordered), ensure_ascii=False) + "\n", encoding="utf-8")
    _show(trial, ordered, in_json=as_json_)
    if any(result.verdict is Verdict.FAIL for result in results):
        raise click.exceptions.Exit(1)


@click.command("conformance-upstream")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the gateway's upstream is to be; any free one unless given.",
)
@click.option(
    "--log-port", type=click.IntRange(0, 65535), default=0, help="Where to ask what arrived; any free one unless given."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--json", "as_json_", is_flag=True, help="Print the addresses as JSON.")
def conformance_upstream(*, port: int, log_port: int, host: str, as_json_: bool) -> None:
    """Be an upstream that keeps every byte it receives, and plays hostile answers, until Ctrl-C.

    Point the gateway at it, and give its log's URL to `gatehouse conformance --upstream-log`.
    """
    try:
        with RecordingUpstream(port, host=host) as upstream, log_server(upstream.log, log_port, host=host) as pages:
            told = {
                "upstream_url": f"http://{host}:{upstream.port}",
                "log_url": f"http://{host}:{pages.server_address[1]}",
            }
            threading.Thread(target=pages.serve_forever, daemon=True).start()
            click.echo(json.dumps(told) if as_json_ else "\n".join(f"{name}: {url}" for name, url in told.items()))
            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            with contextlib.suppress(KeyboardInterrupt):
                stop.wait()
            pages.shutdown()
    except OSError as exc:
        raise click.ClickException(f"port {port} or {log_port} of {host} cannot be had: {exc.strerror}") from exc


def _target(url: str, *, key: str | None, model: str, lost_keys: Mapping[LostKey, str]) -> Target:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise click.UsageError("URL is none") from exc
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise click.UsageError("URL must be an origin such as http://127.0.0.1:8080, without a path")
    if lost_keys and key is None:
        raise click.UsageError("--revoked-key and --expired-key need --key, a good one")
    for name, each in (("--key", key), *((f"--{how}-key", each) for how, each in lost_keys.items())):
        if each is not None and not (each.isascii() and each.isprintable() and " " not in each):
            raise click.UsageError(f"{name} holds characters that no key has")
    tls = parts.scheme == "https"
    return Target(host=parts.hostname, port=port, tls=tls, key=key, model=model, lost_keys=lost_keys)


def _context(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _with_progress(results: Iterator[CaseResult]) -> list[CaseResult]:
    """Return the results, having said on a terminal how far they are: some gateways answer nothing, row after row."""
    done = []
    with Console(stderr=True).status("case 1 …") as status:
        for result in results:
            done.append(result)
            status.update(f"case {result.case.number} is done …")
    return done


@contextlib.contextmanager
def _watching(port: int | None, url: str | None) -> Iterator[Recorder | None]:
    if port is not None and url is not None:
        raise click.UsageError("--recorder and --upstream-log exclude each other")
    if port is not None:
        try:
            upstream = RecordingUpstream(port)
        except OSError as exc:
            raise click.ClickException(f"port {port} cannot be had: {exc.strerror}") from exc
        with upstream:
            yield LocalRecorder(upstream.log)
    elif url is not None:
        with contextlib.closing(RemoteRecorder(url)) as remote:
            yield remote
    else:
        yield None


def _show(trial: Trial, results: Sequence[CaseResult], *, in_json: bool) -> None:
    if in_json:
        click.echo(json.dumps(as_told(trial, results), indent=2, ensure_ascii=False))
        return
    counts = counts_of(results)
    console = Console(highlight=False)
    console.print(_table(results))
    for result in results:
        for row in result.rows:
            if row.verdict is Verdict.FAIL:
                click.echo(f"{result.case.number} {row.row} ({row.cut}): {row.problem}; seen: {row.seen or 'nothing'}")
    click.echo(", ".join(f"{count} rows {verdict}" for verdict, count in counts.items()))
    if trial.recorder is None:
        click.echo("Nobody watched the upstream: that nothing arrived there is not shown.")


def _table(results: Sequence[CaseResult]) -> Table:
    table = Table("CASE", "TITLE", "VERDICT", "ROWS", "SECONDS", box=None)
    for result in results:
        verdict = result.verdict
        table.add_row(
            str(result.case.number),
            _title(result.case),
            f"[{_COLOURS[verdict]}]{verdict}[/]",
            str(len(result.rows)),
            f"{sum(row.elapsed_s for row in result.rows):.1f}",
        )
    return table


def _title(case: Case) -> str:
    return f"{case.title} ({case.where})" if case.where else case.title
