# SPDX-License-Identifier: Apache-2.0
"""Why a use case said no. Each is an answer to the caller, with a stable code; the API gives it an HTTP status."""

from dataclasses import dataclass
from typing import Final

# What is stored of a log is not what was signed of it.
LOG_ALTERED: Final = "log-altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with what was asked. `pointer` is an RFC 6901 pointer into it; the rest is for policy sources."""

    code: str
    message: str
    pointer: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    fix: str | None = None


class Refused(Exception):
    """The use case was not carried out and left no trace. `code` is public, `detail` is for people."""

    def __init__(self, code: str, detail: str, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.problems = problems


class Invalid(Refused):
    """What was asked makes no sense; `problems` says where."""


class NotFound(Refused):
    """There is no such thing, or none that this tenant has."""


class Forbidden(Refused):
    """The caller is known and may not do this."""


class Conflict(Refused):
    """What was asked disagrees with what there is."""


class Gone(Refused):
    """There was such a thing, and it was destroyed."""


class TooOften(Refused):
    """The caller may do this, and did it too often; later it may again."""


class PreconditionMissing(Refused):
    """The change must say which state it starts from, and did not."""


class PreconditionFailed(Refused):
    """The change starts from a state that is no longer current."""


class Unready(Refused):
    """The process answers, and something that it is for does not work."""


class StoreUnavailable(Exception):
    """The store could not do its work now; nothing was stored, and the same request may succeed later."""
