# SPDX-License-Identifier: Apache-2.0
"""Read policy documents, and say what is wrong with them in the API's words."""

from collections.abc import Mapping, Sequence

from controlplane.services.errors import Invalid, Problem
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.document.loader import load_documents
from policies.document.model import PolicyDocument


def load(files: Mapping[str, bytes]) -> tuple[PolicyDocument, ...]:
    """Return the documents of `files`. Raises Invalid with everything that is wrong with them."""
    try:
        return load_documents(files)
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc


def diagnose(files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Return everything that is wrong with `files`, by themselves; nothing where they are valid."""
    try:
        load_documents(files)
    except PolicyRejected as exc:
        return tuple(map(problem_of, exc.diagnostics))
    return ()


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
