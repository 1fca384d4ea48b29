# SPDX-License-Identifier: Apache-2.0
"""Lints of documents, with the place in a file that each is about."""

from collections.abc import Sequence
from datetime import datetime

# First: rego-cpp must be the first C++ library of the process, or the embedded engine refuses every guard.
import policies.engines.rego_library  # noqa: F401
from policies.compiler.compile import assembled
from policies.compiler.lints import lint
from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument


def lints_of(documents: Sequence[PolicyDocument], *, at: datetime) -> tuple[Diagnostic, ...]:
    """Return what `documents` say that is hardly meant, in the order of files and lines. They need not be a release.

    Two of one id are refused elsewhere; here the first stands for both.
    """
    places = {document.id: document.places for document in reversed(documents)}
    found = (
        Diagnostic(code=each.code, at=places[each.policy].at(each.pointer), message=each.message, fix=each.fix)
        for each in lint(assembled(documents), at=at)
    )
    return tuple(sorted(found, key=lambda each: (each.at.file, each.at.line, each.at.column, each.code)))
