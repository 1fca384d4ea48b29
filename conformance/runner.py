# SPDX-License-Identifier: Apache-2.0
"""Runs rows against a gateway, one after the other, so that what arrives upstream can only be of the row under way.

Rows that wait for the gateway's own deadlines run together at the end: from none of them may anything arrive.
"""

import itertools
import json
import ssl
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from conformance.answers import Answer
from conformance.case import ANSWERED, Ask, Case, Drip, Flood, Raw, Row, Step, Target, chat, row
from conformance.judge import Seen, code_of, describe, judge
from conformance.log_api import LogApi
from conformance.recorder import Recorder, joined
from conformance.scratch import ControlPlane
from conformance.wire import Heard, Line, Pause, Piece, converse, cut_at_head, cut_to_bytes, cut_whole

# After a refusal: what a gateway sends upstream all the same is on its way by then.
_SETTLE_S: Final = 0.02
# A body is cut to bytes only where that is a matter of milliseconds.
_LONGEST_BYTE_BY_BYTE: Final = 2048
_TOO_MANY: Final = 429
_ALPN: Final = "http/1.1"
_CONTINUE_S: Final = 2.0
_RETRIES: Final = 3
_LONGEST_RETRY_S: Final = 5.0
_CUTS: Final = {"whole": cut_whole, "at the head": cut_at_head, "byte by byte": cut_to_bytes}


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  # a verdict, no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAnswer:
    """An answer by its status and the id that the gateway gave its request, None where it gave none."""

    status: int
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    row: str
    cut: str
    verdict: Verdict
    seen: str
    problem: str | None = None
    elapsed_s: float = 0.0
    answers: tuple[NamedAnswer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    case: Case
    rows: tuple[RowResult, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {result.verdict for result in self.rows}
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.PASS if Verdict.PASS in verdicts else Verdict.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a run is told: the gateway, how to speak to it, who watches behind it, and how long a row may take."""

    target: Target
    timeout_s: float
    recorder: Recorder | None = None
    context: ssl.SSLContext | None = None
    gatehouse: bool = False
    any_model: bool = False
    knows_canary: bool = False
    screens_prompts: bool = False
    log: LogApi | None = None
    control_plane: ControlPlane | None = None
    verify: tuple[str, ...] = ("gatehouse", "audit", "verify")


class NotReady(Exception):
    """The gateway does not answer a plain request, so that a refusal would prove nothing."""


def is_gatehouse(trial: Trial) -> bool:
    """Tell whether the gateway speaks Gatehouse's error envelope, by a request that names nobody."""
    heard = _converse(trial, Row(slug="who", steps=(Ask(credential=()),), want=ANSWERED), "whole", "none")
    answer = _last(heard)
    if answer is None or code_of(answer) != "credentials-missing":
        return False
    return "request_id" in json.loads(answer.body)["error"]


def takes_any_model(trial: Trial) -> bool:
    """Tell whether the gateway answers for a model that nobody can have listed."""
    ask = Ask(body=chat(model=f"unlisted-{uuid.uuid4().hex}"))
    answer = _last(_converse(trial, Row(slug="any model", steps=(ask,), want=ANSWERED), "whole", "none"))
    return answer is not None and answer.status == HTTPStatus.OK


def check_ready(trial: Trial) -> None:
    """Raise NotReady unless a plain request is answered, and arrives at the recording upstream."""
    result = _attempt(trial, row("plain request", ANSWERED), "whole")
    if result.verdict is Verdict.FAIL:
        raise NotReady(f"a plain request is not answered: {result.problem} ({result.seen})")
    if trial.recorder is not None and result.seen.endswith(", 0 B upstream"):
        raise NotReady("a plain request is answered, but nothing arrives at the recording upstream")


def run(trial: Trial, cases: Iterable[Case]) -> Iterator[CaseResult]:
    """Yield the result of each case that the data port shows, those with patient rows last."""
    patient = []
    for case in cases:
        if case.alterations or case.checks or any(each.recorded for each in case.rows):
            continue
        quick = [each for each in case.rows if not each.patience_s]
        results = tuple(result for each in quick for result in _try_row(trial, each))
        if len(quick) == len(case.rows):
            yield CaseResult(case=case, rows=results)
        else:
            patient.append((case, results))
    waiting = [each for case, _ in patient for each in case.rows if each.patience_s]
    waited = iter(_try_together(trial, waiting))
    for case, results in patient:
        late = [next(waited) for each in case.rows if each.patience_s]
        yield CaseResult(case=case, rows=(*results, *late))


def _try_row(trial: Trial, each: Row) -> Iterator[RowResult]:
    if reason := _reason_to_skip(trial, each):
        yield RowResult(row=each.slug, cut="whole", verdict=Verdict.SKIP, seen=reason)
        return
    # Over TLS a gateway can only end a connection by waiting for its client, so that each cut costs it that wait again.
    for cut in _CUTS if each.cuts and not trial.target.tls else ("whole",):
        yield _attempt(trial, each, cut)


def _reason_to_skip(trial: Trial, each: Row) -> str:
    lost = each.lost_key is not None and each.lost_key not in trial.target.lost_keys
    missing = (
        (each.needs_tls and not trial.target.tls, "needs a gateway with TLS"),
        (each.scripted and trial.recorder is None, "needs the recording upstream"),
        (each.needs_model_list and trial.any_model, "needs a gateway that lists its models; this one takes any"),
        (
            each.needs_canary and not trial.knows_canary,
            "needs a gateway that knows the canary as a secret: --knows-canary",
        ),
        (each.needs_screen and not trial.screens_prompts, "needs a gateway that screens prompts: --screens-prompts"),
        (lost, f"needs --{each.lost_key}-key"),
    )
    return next((reason for applies, reason in missing if applies), "")


def _attempt(trial: Trial, each: Row, cut: str) -> RowResult:
    return attempt(trial, each, cut)[0]


def attempt(trial: Trial, each: Row, cut: str) -> tuple[RowResult, Seen | None]:
    """Send a row, and return its result and what was seen: None where there was no connection."""
    for _ in range(_RETRIES):
        mark = f"mark-{uuid.uuid4().hex[:16]}"
        before = trial.recorder.position() if trial.recorder is not None else 0
        try:
            heard = _converse(trial, each, cut, mark)
        except OSError as exc:
            problem = f"no connection: {exc}"
            return RowResult(row=each.slug, cut=cut, verdict=Verdict.FAIL, seen="", problem=problem), None
        answer = _last(heard)
        if answer is None or answer.status != _TOO_MANY or _TOO_MANY in each.want.refused:
            break
        time.sleep(_retry_after(answer))
    if trial.recorder is not None:
        time.sleep(_SETTLE_S)
    arrived = joined(trial.recorder.since(before)) if trial.recorder is not None else None
    seen = Seen(heard=heard, arrived=arrived, gatehouse=trial.gatehouse, mark=mark.encode())
    if heard.alpn not in (None, _ALPN) and not trial.gatehouse:
        untried = f"speaks {heard.alpn}, which is not tried"
        return RowResult(row=each.slug, cut=cut, verdict=Verdict.SKIP, seen=untried), seen
    return _result(each, cut, seen), seen


def _result(each: Row, cut: str, seen: Seen) -> RowResult:
    problem = judge(each, seen)
    return RowResult(
        row=each.slug,
        cut=cut,
        verdict=Verdict.PASS if problem is None else Verdict.FAIL,
        seen=describe(seen),
        problem=problem,
        elapsed_s=round(seen.heard.elapsed_s, 3),
        answers=tuple(map(named, seen.heard.reader.answers)),
    )


def _try_together(trial: Trial, rows: Sequence[Row]) -> list[RowResult]:
    if not rows:
        return []
    before = trial.recorder.position() if trial.recorder is not None else 0

    def one(each: Row) -> Heard | OSError:
        try:
            return _converse(trial, each, "whole", "mark-patient")
        except OSError as exc:
            return exc

    with ThreadPoolExecutor(len(rows)) as pool:
        heard = list(pool.map(one, rows))
    arrived = joined(trial.recorder.since(before)) if trial.recorder is not None else None
    return [
        RowResult(row=each.slug, cut="whole", verdict=Verdict.FAIL, seen="", problem=f"no connection: {one}")
        if isinstance(one, OSError)
        else _result(each, "whole", Seen(heard=one, arrived=arrived, gatehouse=trial.gatehouse, mark=b"mark-patient"))
        for each, one in zip(rows, heard, strict=True)
    ]


def _converse(trial: Trial, each: Row, cut: str, mark: str) -> Heard:
    if trial.context is not None:
        trial.context.set_alpn_protocols(list(each.alpn or (_ALPN,)))
    pieces = _pieces(each.steps, trial.target, mark, cut)
    # Made before the row's time runs: to pack 512 MiB takes seconds, and those are not the gateway's.
    first = tuple(itertools.islice(pieces, 1))
    return converse(
        Line(host=trial.target.host, port=trial.target.port, context=trial.context),
        itertools.chain(first, pieces),
        answers_due=1 if each.then is None else 2,
        awaits_close=lambda reader: (
            each.want.closes and not (reader.answers and reader.answers[0].status in each.want.answered)
        ),
        within_s=max(trial.timeout_s, each.patience_s),
    )


def _pieces(steps: Sequence[Step], target: Target, mark: str, cut: str) -> Iterator[Piece]:
    for step in steps:
        match step:
            case Ask():
                raw = step.render(target, mark)
                if step.awaits_continue:
                    head, end, body = raw.partition(b"\r\n\r\n")
                    yield from (head + end, Pause(_CONTINUE_S, until_continue=True), body)
                    continue
                yield from (_CUTS[cut] if len(raw) <= _LONGEST_BYTE_BY_BYTE else cut_at_head)(raw)
            case Raw():
                raw = target.fill(step.template, mark)
                yield from (_CUTS[cut] if len(raw) <= _LONGEST_BYTE_BY_BYTE else cut_whole)(raw)
            case Drip():
                yield from _drip(target.fill(step.template, mark), step.every_s)
            case Flood():
                yield from (step.piece for _ in range(step.times))


def _drip(template: bytes, every_s: float) -> Iterator[Piece]:
    while True:
        for at in range(len(template)):
            yield template[at : at + 1]
            yield Pause(every_s)


def _last(heard: Heard) -> Answer | None:
    return heard.reader.answers[-1] if heard.reader.answers else None


def named(answer: Answer) -> NamedAnswer:
    given = [value for name, value in answer.headers if name.lower() == b"x-request-id"]
    return NamedAnswer(status=answer.status, request_id=given[0].decode("latin-1") if len(given) == 1 else None)


def _retry_after(answer: Answer) -> float:
    told = [value for name, value in answer.headers if name.lower() == b"retry-after"]
    seconds = float(told[0]) if told and told[0].isdigit() else 1.0
    return min(max(seconds, 0.1), _LONGEST_RETRY_S)
