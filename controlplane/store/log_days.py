# SPDX-License-Identifier: Apache-2.0
"""Which days the entries of some indexes are of: a day is a range of indexes."""

from bisect import bisect_right
from collections.abc import Collection

from sqlalchemy import Connection

from controlplane.store.bulk import rows


def days_of(connection: Connection, tenant: str, indexes: Collection[int]) -> list[int]:
    """Return the days, as numbers, that have the entries at `indexes`, as far as the log goes."""
    if not indexes:
        return []
    least, most = min(indexes), max(indexes)
    found = rows(
        connection,
        "SELECT day, first_index FROM log_days WHERE tenant = ? AND end_index > ? AND first_index <= ? ORDER BY day",
        tenant,
        least,
        most,
    )
    if not found:
        return []
    firsts = [row.first_index for row in found]
    return sorted({found[max(0, bisect_right(firsts, index) - 1)].day for index in indexes})
