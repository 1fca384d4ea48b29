# SPDX-License-Identifier: Apache-2.0
"""`gatehouse release gate`: send what must be refused and must pass through the real proxy, and post the evidence."""

import json
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click
import httpx

from controlplane.cli.shared import NothingAnswers, api, complain, fails_cleanly, json_option, say, segment, show_json
from controlplane.client import ApiClient, ApiError

# A model answers a few tokens well within this; a proxy that does not is broken.
_TIMEOUT_S: Final = 60.0
_RETRIES: Final = 3
_LONGEST_RETRY_S: Final = 10.0
# Records are shipped within seconds of their decision.
_LOGGED_WITHIN_S: Final = 30.0
_POLL_INTERVAL_S: Final = 1.0


@click.command()
@click.argument("release_id")
@click.option("--proxy", "proxy_url", help="The origin of the environment's proxy, such as https://staging.example.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="SUBJECT=FILE",
    help="The API key of a subject of the tests, in a file; may be repeated.",
)
@click.option(
    "--without-key",
    "keyless",
    multiple=True,
    metavar="SUBJECT",
    help="A subject that has no key: what must be refused to it is not sent, and the evidence says so.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust this CA, in PEM, for the proxy's certificate.",
)
@click.option(
    "--suite",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `gatehouse conformance --report` wrote of a run against that proxy.",
)
@json_option
@fails_cleanly
def gate(
    release_id: str,
    *,
    proxy_url: str | None,
    keys: tuple[str, ...],
    keyless: tuple[str, ...],
    ca: Path | None,
    suite: Path | None,
    as_json: bool,
) -> None:
    """Show that RELEASE_ID, in force behind --proxy, passes its gates, and keep the evidence.

    With --proxy it sends the release's tests as requests; with --suite it hands in a report of the adversarial suite.
    Somebody who did not write the release does this, as approver.
    """
    if proxy_url is None and suite is None:
        raise click.UsageError("give --proxy, --suite or both")
    client, path = api("approver"), f"/v1/policy-sets/default/releases/{segment(release_id)}"
    reports: dict[str, Mapping[str, Any]] = {}
    if suite is not None:
        reports["suite"] = _read(suite)
    if proxy_url is not None:
        trials = client.get(f"{path}/trials").body
        left_out = [each for each in trials["items"] if each["subject"] in keyless and each["effect"] == "deny"]
        sent = [each for each in trials["items"] if each not in left_out]
        reports["must-refuse"] = {"requests": _asked(sent, proxy_url, _keys(keys), ca), "not_asked": list(keyless)}
        for each in left_out:
            complain(f"not sent, because {each['subject']} has no key: {each['policy']}: {each['name']}")
        for name in trials["unsendable"]:
            complain(f"cannot be sent as a request, and was not: {name}")
    given = [_give(client, f"{path}/evidence", kind, report) for kind, report in reports.items()]
    if as_json:
        show_json({"items": given})
    else:
        for each in given:
            say(f"{release_id} passed {each['kind']} in {each['environment']}: {each['decisions']} decisions")


def _asked(
    trials: list[dict[str, Any]], proxy_url: str, keys: Mapping[str, str], ca: Path | None
) -> list[dict[str, Any]]:
    lacking = sorted({trial["subject"] for trial in trials} - keys.keys())
    if lacking:
        raise click.UsageError(
            f"give a key for each subject: --key {lacking[0]}=FILE (lacking: {', '.join(lacking)}), or say "
            f"--without-key {lacking[0]} where a subject that is only ever refused has none"
        )
    told, wrong = [], []
    context = ssl.create_default_context(cafile=ca)
    try:
        with httpx.Client(base_url=proxy_url, timeout=_TIMEOUT_S, trust_env=False, verify=context) as proxy:
            for trial in trials:
                answer = _send(proxy, trial, keys[trial["subject"]])
                told.append(
                    {
                        "policy": trial["policy"],
                        "name": trial["name"],
                        "request_id": answer.headers.get("x-request-id", ""),
                        "status": answer.status_code,
                    }
                )
                code = _code_of(answer)
                # What its upstream failed, policy had allowed: whether it did, the log says.
                passed = answer.is_success or code.startswith("upstream-")
                if passed != (trial["effect"] == "allow"):
                    told_code = f" {code}" if code else ""
                    wrong.append(f"{trial['policy']}: {trial['name']}: answered {answer.status_code}{told_code}")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise NothingAnswers(f"the proxy at {proxy_url} does not answer ({type(exc).__name__})") from exc
    if wrong:
        hint = "Where the model cannot answer a test, mark those that are to be asked with `canary: true`."
        raise click.ClickException("\n".join(["the proxy did not answer as the tests expect:", *wrong, hint]))
    return told


def _send(proxy: httpx.Client, trial: Mapping[str, Any], key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    body = {} if trial["body"] is None else {"json": trial["body"]}
    for _ in range(_RETRIES):
        answer = proxy.request(trial["method"], trial["path"], headers=headers, **body)
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            break
        after = answer.headers.get("Retry-After", "1")
        time.sleep(min(float(after) if after.isdigit() else 1.0, _LONGEST_RETRY_S))
    return answer


def _code_of(answer: httpx.Response) -> str:
    # The code of a refusal tells what is to be done: another key, another rate, a test that this model cannot answer.
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _give(client: ApiClient, path: str, kind: str, report: Mapping[str, Any]) -> dict[str, Any]:
    give_up_at = time.monotonic() + _LOGGED_WITHIN_S
    while True:
        try:
            given: dict[str, Any] = client.post(path, {"kind": kind, "report": report}).body
        except ApiError as exc:
            if exc.problem.get("code") != "evidence-not-logged" or time.monotonic() > give_up_at:
                raise
            time.sleep(_POLL_INTERVAL_S)
        else:
            return given


def _keys(given: tuple[str, ...]) -> dict[str, str]:
    keys = {}
    for each in given:
        subject, _, file = each.partition("=")
        try:
            keys[subject] = Path(file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as exc:
            raise click.UsageError(f"--key {subject}: {file!r} cannot be read; write SUBJECT=FILE") from exc
    return keys


def _read(file: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(file.read_bytes())
    except (OSError, ValueError) as exc:
        raise click.UsageError(f"{file} is not a report of `gatehouse conformance --report`") from exc
    if not isinstance(report, dict):
        raise click.UsageError(f"{file} is not a report of `gatehouse conformance --report`")
    return report
