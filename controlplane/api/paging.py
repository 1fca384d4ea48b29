# SPDX-License-Identifier: Apache-2.0
"""Pages: from the query's cursor to a position, and back."""

from collections.abc import Mapping
from typing import Any

from flask import request

from controlplane.api.fields import MAX_LIMIT
from controlplane.api.guard import caller, plane
from controlplane.services.model import Page
from policies.contracts.codec import JSON


def limit_of(query: Mapping[str, Any]) -> int:
    return min(int(query["limit"]), MAX_LIMIT)


def after_of(query: Mapping[str, Any]) -> str | None:
    """Return the key after which the page begins. Raises Invalid for a cursor of another list."""
    cursor = query["cursor"]
    return None if cursor is None else str(plane().cursors.read(cursor, of=_list()))


def page_of(page: Page[Any]) -> dict[str, Any]:
    key = page.next_key
    return {"items": page.items, "next_cursor": None if key is None else plane().cursors.give(key, of=_list())}


def _list() -> JSON:
    """Describe the list this request asks for: whose, which, and by what filters. The size of a page is not part."""
    filters: dict[str, JSON] = {
        name: sorted(values) for name, values in request.args.lists() if name not in {"cursor", "limit"}
    }
    return {"tenant": caller().tenant, "path": request.path, "filters": filters}
