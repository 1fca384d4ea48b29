# SPDX-License-Identifier: Apache-2.0
"""Subjects as callers name them, and as the log does."""

import re
from typing import Final, overload

from controlplane.services.errors import Invalid, Problem
from policies.contracts.record import pseudonym

_SUBJECT: Final = re.compile(r"[a-z]+:[A-Za-z0-9._@-]{1,128}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"p1:[0-9a-f]{32}", re.ASCII)


@overload
def as_pseudonym(key: bytes, tenant: str, subject: str) -> str: ...
@overload
def as_pseudonym(key: bytes, tenant: str, subject: None) -> None: ...
@overload
def as_pseudonym(key: bytes, tenant: str, subject: str | None) -> str | None: ...
def as_pseudonym(key: bytes, tenant: str, subject: str | None) -> str | None:
    """Return the pseudonym of `user:NAME` or `service:NAME`, or the one that was given. Raises Invalid."""
    if subject is None or _PSEUDONYM.fullmatch(subject):
        return subject
    if _SUBJECT.fullmatch(subject):
        return pseudonym(key, tenant=tenant, subject=subject)
    fix = "Write user:NAME, service:NAME, or a pseudonym p1:HEX."
    problem = Problem(code="subject-invalid", message="Not a subject.", pointer="/subject", fix=fix)
    raise Invalid("subject-invalid", "That is not a subject. " + fix, problems=(problem,))
