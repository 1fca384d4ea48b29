# SPDX-License-Identifier: Apache-2.0
"""Keyset pages: one row more than asked for says whether there is a next page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from controlplane.services.model import Page

ItemT = TypeVar("ItemT")


def page_of(
    rows: Sequence[Any],
    *,
    limit: int,
    item: Callable[[Any], ItemT],
    key: str,
) -> Page[ItemT]:
    """Return the first `limit` of `rows` (of which `limit + 1` were asked for) as items, keyed by column `key`."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=tuple(map(item, shown)), next_key=str(getattr(shown[-1], key)) if more else None)
