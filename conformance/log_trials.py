# SPDX-License-Identifier: Apache-2.0
"""Runs the cases on the log: what it makes of hostile requests, and whether `gatehouse audit verify` finds what was
done to an archive of it.

Rules: the log is seen as an auditor sees it, through the API and by a command in a process of its own. An archive that
nobody altered is tried too: a verifier that finds fault with everything would find these as well.
"""

import io
import json
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from conformance.alterations import HOLDS, Alteration, Files, NotThere
from conformance.case import ANSWERED, Ask, Case, Row, chat, row
from conformance.harm import harm_in_cell, harm_in_json, lines_of, rows_of_csv
from conformance.judge import Seen
from conformance.log_api import LogApi, LogFails
from conformance.runner import CaseResult, RowResult, Trial, Verdict, attempt

_NO_LOG: Final = "needs the gateway's log: --api"
_MAX_REQUEST_IDS: Final = 100
_VERIFY_WITHIN_S: Final = 120
_PARTS: Final = "whole"


@dataclass(frozen=True, slots=True)
class _Sent:
    row: Row
    result: RowResult
    request_id: str
    mark: str


def run_on_log(trial: Trial, cases: Iterable[Case]) -> Iterator[CaseResult]:
    """Yield the result of each case that is on the log."""
    for case in cases:
        recorded = [each for each in case.rows if each.recorded]
        if not recorded and not case.alterations:
            continue
        slugs = [each.slug for each in recorded] + [each.slug for each in case.alterations]
        if trial.log is None:
            yield CaseResult(case=case, rows=tuple(_result(slug, Verdict.SKIP, _NO_LOG) for slug in slugs))
            continue
        try:
            results = [*_try_recorded(trial, trial.log, recorded), *_try_altered(trial, trial.log, case.alterations)]
        except (LogFails, httpx.HTTPError, ValueError) as exc:
            results = [_result(slug, Verdict.FAIL, "", f"the log cannot be had: {exc}") for slug in slugs]
        yield CaseResult(case=case, rows=tuple(results))


def _result(slug: str, verdict: Verdict, seen: str, problem: str | None = None, elapsed_s: float = 0.0) -> RowResult:
    return RowResult(row=slug, cut=_PARTS, verdict=verdict, seen=seen, problem=problem, elapsed_s=round(elapsed_s, 3))


def _try_recorded(trial: Trial, log: LogApi, rows: Iterable[Row]) -> Iterator[RowResult]:
    """Send all rows, and then look at what the log has of them."""
    since = datetime.now(UTC)
    sent = []
    for each in rows:
        result, seen = attempt(trial, each, _PARTS)
        sent.append(_Sent(each, result, _request_id(seen), "" if seen is None else seen.mark.decode()))
    if not sent:
        return
    alone = {each.request_id: _problem_alone(log, each) for each in sent if each.request_id}
    ids = list(alone)
    tables: dict[str, list[dict[str, str]]] = {request_id: [] for request_id in ids}
    lines: dict[str, list[Any]] = {request_id: [] for request_id in ids}
    for at in range(0, len(ids), _MAX_REQUEST_IDS):
        filters = {"request_id": ids[at : at + _MAX_REQUEST_IDS]}
        names, cells = rows_of_csv(log.export(format="csv", filters=filters, include=["subject", "input"]))
        for told in (dict(zip(names, each, strict=True)) for each in cells):
            if told["request_id"] not in tables:
                raise LogFails("the table has a row of no request")
            tables[told["request_id"]].append(told)
        for value in lines_of(log.export(format="ndjson", filters=filters)):
            lines[value["envelope"]["request_id"]].append(value)
    pages = _pages(log, since)
    for one in sent:
        problem = one.result.problem
        if problem is None and not one.request_id:
            problem = "its answer names no request"
        if problem is None:
            rows_of, lines_of_it = tables[one.request_id], lines[one.request_id]
            problem = alone[one.request_id] or _problem_together(one, rows_of, lines_of_it, pages)
        yield replace(one.result, problem=problem, verdict=Verdict.PASS if problem is None else Verdict.FAIL)


def _request_id(seen: Seen | None) -> str:
    answers = [] if seen is None else seen.heard.reader.answers
    told = [value for answer in answers for name, value in answer.headers if name.lower() == b"x-request-id"]
    return told[0].decode("latin-1") if told else ""


def _problem_alone(log: LogApi, sent: _Sent) -> str | None:
    try:
        content = log.decision(sent.request_id)
    except LogFails as exc:
        return str(exc)
    if problem := harm_in_json(content):
        return f"its decision: {problem}"
    kinds = [record["envelope"]["kind"] for record in json.loads(content)["records"]]
    return None if kinds.count("terminal") == 1 else f"it has {kinds.count('terminal')} terminal records"


def _problem_together(sent: _Sent, table: list[dict[str, str]], lines: list[Any], pages: list[str]) -> str | None:
    if (len(table), len(lines)) != (1, 1):
        return f"the table has {len(table)} rows of it, and NDJSON {len(lines)} lines"
    for name, cell in table[0].items():
        if problem := harm_in_cell(cell):
            return f"{problem} in the table's column {name}"
    if sent.row.cell and sent.row.cell.replace("<MARK>", sent.mark) not in table[0].values():
        return "the table does not show a harmless text as it is"
    if any(f"<b>{sent.mark}" in page for page in pages):
        return "a page has its markup as markup"
    return None


def _pages(log: LogApi, since: datetime) -> list[str]:
    """Return the pages that people open in a browser. Raises LogFails where one may run what it shows."""
    docs = log.page("/docs")
    policy = docs.headers.get("content-security-policy", "")
    if "default-src 'none'" not in policy and "default-src 'self'" not in policy:
        raise LogFails("/docs has no Content-Security-Policy")
    pack = log.evidence(since=_rfc3339(since), until=_rfc3339(datetime.now(UTC)))
    with zipfile.ZipFile(io.BytesIO(pack)) as files:
        return [docs.text, files.read("summary.html").decode()]


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _try_altered(trial: Trial, log: LogApi, alterations: Iterable[Alteration]) -> Iterator[RowResult]:
    alterations = tuple(alterations)
    if not alterations:
        return
    result, _ = attempt(trial, row("a request for the log", ANSWERED, Ask(body=chat(stream=True))), _PARTS)
    if result.problem is not None:
        raise LogFails(f"a plain request is not answered: {result.problem}")
    with zipfile.ZipFile(io.BytesIO(log.export(format="archive"))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    attempt(trial, row("a later request", ANSWERED), _PARTS)
    later = log.checkpoint_beyond(json.loads(files["manifest.json"])["size"])
    keys = [content.decode().strip() for name, content in files.items() if name.startswith("keys/")]
    for each in alterations:
        began = time.monotonic()
        try:
            altered = each.alter(dict(files))
        except NotThere as exc:
            yield _result(each.slug, Verdict.SKIP, str(exc))
            continue
        verdict, seen, problem = _judge(trial, each, altered, keys, later)
        yield _result(each.slug, verdict, seen, problem, time.monotonic() - began)


def _judge(
    trial: Trial, each: Alteration, files: Files, keys: Iterable[str], later: bytes
) -> tuple[Verdict, str, str | None]:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        for name, content in files.items():
            place = archive / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        command = [*trial.verify, str(archive), "--json", *(part for key in keys for part in ("--key", key))]
        if each.beside:
            beside = Path(folder, "later")
            beside.write_bytes(later)
            command += ["--checkpoint", str(beside)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_VERIFY_WITHIN_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return Verdict.FAIL, "", f"the verifier does not run: {type(exc).__name__}"
    problem, seen = _verdict_of(each, done.returncode, done.stdout)
    return Verdict.PASS if problem is None else Verdict.FAIL, seen, problem


def _verdict_of(each: Alteration, code: int, output: bytes) -> tuple[str | None, str]:
    """Return what is wrong with a verifier's verdict, and the verdict."""
    try:
        told = json.loads(output)
    except ValueError:
        return "the verifier tells no JSON", f"exit {code}"
    if "error" in told:
        seen = f"unreadable, exit {code}"
        return (None if each.ungraspable and code else "the verifier cannot read the archive"), seen
    integrity, completeness = told["integrity"]["verdict"], told["completeness"]["verdict"]
    seen = f"integrity {integrity}, completeness {completeness}, exit {code}"
    if integrity != each.integrity:
        return f"integrity {integrity}, and not {each.integrity}", seen
    if each.completeness not in (None, completeness):
        return f"completeness {completeness}, and not {each.completeness}", seen
    if (code == 0) != (integrity == completeness == HOLDS):
        return f"the verifier exits {code}", seen
    return None, seen
