# SPDX-License-Identifier: Apache-2.0
"""RFC 3339 times: read with their zone, written as UTC."""

import re
from datetime import UTC, datetime
from typing import Final

# datetime.fromisoformat alone would also take dates, weeks and times without a zone.
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(?P<fraction>\d{1,9}))?(?:[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def parse_time(text: str) -> datetime:
    """Return the time of an RFC 3339 text as aware UTC, to the microsecond. Raises ValueError for anything else."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 time with its zone, such as 2026-11-20T18:00:00Z")
    fraction = found["fraction"]
    if fraction is not None:
        text = text.replace(f".{fraction}", f".{fraction[:6].ljust(6, '0')}", 1)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("a time beyond the calendar") from exc


def format_time(at: datetime) -> str:
    """Return `at` as RFC 3339 in UTC, ending in `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
