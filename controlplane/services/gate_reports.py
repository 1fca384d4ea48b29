# SPDX-License-Identifier: Apache-2.0
"""Read what a run of a gate reports, as claims that the decision log can be asked about.

A report is whatever its sender wrote. What it says of verdicts is believed only of cases that are all there; what
became of each request, the log says.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from controlplane.services.errors import Invalid, Problem
from controlplane.services.gate import Claim, Trial, Trials
from policies.contracts.codec import JSON
from policies.contracts.decision import Effect

SUITE_CASES: Final = frozenset(range(1, 71))
# What runs against every gateway, without TLS, the auditor's token, a watched upstream, or keys that were taken back.
# A test holds both against the suite.
ALWAYS_RUN: Final = frozenset({*range(1, 25), *range(26, 37), *range(47, 51)})
_MOST_TOLD: Final = 20


def read_suite(report: Mapping[str, Any]) -> tuple[tuple[Claim, ...], dict[str, JSON]]:
    """Return what a report of `gatehouse conformance` claims, and its summary. Raises Invalid unless all passed."""
    try:
        cases = {int(case["case"]): case for case in report["cases"]}
        problems = tuple(_of_suite(report, cases))
        claims = tuple(_claims_of_suite(cases)) if not problems else ()
        rows = {str(name): int(count) for name, count in report["rows"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise _invalid(
            [Problem(code="report-unreadable", message="It is not a report of `gatehouse conformance`.")]
        ) from exc
    if problems:
        raise _invalid(problems)
    if not claims:
        raise _invalid([Problem(code="report-unreadable", message="It names no request of the gateway.")])
    skipped = sorted(number for number, case in cases.items() if case["verdict"] == "skip")
    watched = report.get("upstream_watched") is True
    return claims, {"cases": len(cases), "skipped": skipped, "rows": rows, "upstream_watched": watched}


def read_must_refuse(report: Mapping[str, Any], trials: Trials) -> tuple[tuple[Claim, ...], dict[str, JSON]]:
    """Return what a report of the release's requests claims. Raises Invalid unless each of `trials` is there once.

    Left out may be those that must be refused, of subjects that the report names in `not_asked`, but not all of them.
    """
    try:
        left_out = {str(subject) for subject in report.get("not_asked", ())}
        told = [
            (each["policy"], each["name"], str(each["request_id"]), int(each["status"])) for each in report["requests"]
        ]
    except (KeyError, TypeError, ValueError) as exc:
        raise _invalid([Problem(code="report-unreadable", message="It is not a list of requests.")]) from exc
    by_name = {(trial.policy, trial.name): trial for trial in trials.sendable}
    names = [(policy, name) for policy, name, _, _ in told]
    refused = {name for name, trial in by_name.items() if trial.effect is Effect.DENY}
    excused = {name for name in refused if _subject(by_name[name]) in left_out} - set(names)
    if refused and refused == excused:
        excused = set()
    lacking = by_name.keys() - set(names) - excused
    problems = [
        Problem(code="request-missing", message=f"{policy}: {name} was not sent.") for policy, name in sorted(lacking)
    ]
    problems += [
        Problem(
            code="request-unknown",
            message="No test of the release is called that, or it is there twice.",
            pointer=f"/requests/{at}",
        )
        for at, name in enumerate(names)
        if name not in by_name or name in names[:at]
    ]
    if not by_name:
        problems = [Problem(code="nothing-to-ask", message="No test of the release can be sent as a request.")]
    if problems:
        raise _invalid(problems)
    claims = tuple(_claim(by_name[policy, name], request_id, status) for policy, name, request_id, status in told)
    not_asked = [about(by_name[name]) for name in sorted(excused)]
    return claims, {"requests": len(claims), "unsendable": list(trials.unsendable), "not_asked": not_asked}


def about(trial: Trial) -> str:
    """Return what a request is called."""
    return f"{trial.policy}: {trial.name}"


def _subject(trial: Trial) -> str:
    return f"{trial.subject.type}:{trial.subject.id}"


def _claim(trial: Trial, request_id: str, status: int) -> Claim:
    return Claim(
        request_id=request_id,
        status=status,
        about=about(trial),
        effect=trial.effect,
        subject=trial.subject,
        operation=trial.operation,
        model=trial.model,
    )


def _of_suite(report: Mapping[str, Any], cases: Mapping[int, Mapping[str, Any]]) -> Iterator[Problem]:
    if report["gateway"] != "gatehouse":
        yield Problem(code="other-gateway", message="The report is of another gateway.", pointer="/gateway")
    if len(cases) != len(report["cases"]):
        yield Problem(code="case-twice", message="A case is there twice.", pointer="/cases")
    for number in sorted(SUITE_CASES - cases.keys()):
        yield Problem(code="case-missing", message=f"Case {number} is not there.", pointer="/cases")
    for number, case in sorted(cases.items()):
        verdicts = {row["verdict"] for row in case["rows"]} | {case["verdict"]}
        if not verdicts <= {"pass", "skip"}:
            yield Problem(code="case-failed", message=f"Case {number} did not pass.", pointer="/cases")
        elif number in ALWAYS_RUN and case["verdict"] != "pass":
            yield Problem(code="case-skipped", message=f"Case {number} was not run.", pointer="/cases")


def _claims_of_suite(cases: Mapping[int, Mapping[str, Any]]) -> Iterator[Claim]:
    for number, case in sorted(cases.items()):
        for row in case["rows"]:
            for answer in row["answers"]:
                if answer["request_id"] is not None:
                    where = f"case {number}, {row['row']}"
                    yield Claim(request_id=str(answer["request_id"]), status=int(answer["status"]), about=where)


def _invalid(problems: Sequence[Problem]) -> Invalid:
    return Invalid(
        "gate-not-passed", "The report does not show that the gate was passed.", problems=tuple(problems[:_MOST_TOLD])
    )
