# SPDX-License-Identifier: Apache-2.0
"""Read policy documents, and say what is wrong with them in the API's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.services.errors import Invalid, Problem
from controlplane.services.lints import lints_of
from controlplane.services.rego_engines import RegoEngines
from policies.compiler.compile import check_files
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.document.model import PolicyDocument


def load(files: Mapping[str, bytes], *, rego: RegoEngines) -> tuple[PolicyDocument, ...]:
    """Return the documents of `files`. Raises Invalid with everything that is wrong with each, its Rego included."""
    try:
        return check_files(files, opa_binary=rego.opa_binary, engines={rego.nodes})
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is wrong with documents, each by itself; where nothing is, what they say that is hardly meant."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def judge(files: Mapping[str, bytes], *, rego: RegoEngines, at: datetime) -> Judged:
    """Return everything there is to say of `files`. `at` is now."""
    try:
        documents = load(files, rego=rego)
    except Invalid as exc:
        return Judged(problems=exc.problems)
    return Judged(warnings=tuple(map(problem_of, lints_of(documents, at=at))))


def rejected(diagnostics: Sequence[Diagnostic]) -> Invalid:
    return Invalid(
        "policy-rejected",
        f"{len(diagnostics)} thing(s) are wrong with the policy; nothing was stored.",
        problems=tuple(map(problem_of, diagnostics)),
    )


def problem_of(diagnostic: Diagnostic) -> Problem:
    return Problem(
        code=diagnostic.code,
        message=diagnostic.message,
        pointer=diagnostic.at.pointer,
        file=diagnostic.at.file,
        line=diagnostic.at.line,
        column=diagnostic.at.column,
        fix=diagnostic.fix or None,
    )
