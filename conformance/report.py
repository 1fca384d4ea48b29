# SPDX-License-Identifier: Apache-2.0
"""A run of the suite as JSON: for scripts, and as evidence for a gate of the control plane."""

import dataclasses
from collections.abc import Sequence

from conformance.runner import CaseResult, Trial, Verdict


def as_evidence(trial: Trial, results: Sequence[CaseResult]) -> dict[str, object]:
    """Return the result in whole numbers and plain texts, as the control plane's strict JSON has them."""
    told = as_told(trial, results)
    cases = [
        {
            "case": result.case.number,
            "verdict": str(result.verdict),
            "rows": [
                {
                    "row": row.row,
                    "cut": row.cut,
                    "verdict": str(row.verdict),
                    "answers": [dataclasses.asdict(answer) for answer in row.answers],
                }
                for row in result.rows
            ],
        }
        for result in results
    ]
    return told | {"cases": cases}


def as_told(trial: Trial, results: Sequence[CaseResult]) -> dict[str, object]:
    counts = counts_of(results)
    return {
        "url": f"{'https' if trial.target.tls else 'http'}://{trial.target.host}:{trial.target.port}",
        "gateway": "gatehouse" if trial.gatehouse else "other",
        "upstream_watched": trial.recorder is not None,
        "rows": {str(verdict): count for verdict, count in counts.items()},
        "cases": _cases(results),
    }


def counts_of(results: Sequence[CaseResult]) -> dict[Verdict, int]:
    return {verdict: sum(row.verdict is verdict for result in results for row in result.rows) for verdict in Verdict}


def _cases(results: Sequence[CaseResult]) -> list[dict[str, object]]:
    return [
        {
            "case": result.case.number,
            "title": result.case.title,
            "verdict": str(result.verdict),
            "where": result.case.where or None,
            "rows": [dataclasses.asdict(each) for each in result.rows],
        }
        for result in results
    ]
