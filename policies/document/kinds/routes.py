# SPDX-License-Identifier: Apache-2.0
"""`routes`: which methods and paths there are, and how their bodies are read."""

from enum import StrEnum

from policies.contracts.snapshot import Dialect, Route
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import RoutesSpec
from policies.document.reader import Members

_ROUTE = ("id", "method", "path", "operation", "dialect")


class Method(StrEnum):
    GET = "GET"
    POST = "POST"


def read_routes(document: Members, document_id: str) -> RoutesSpec:
    """Return the `spec` of a routes policy."""
    spec = document.object("spec", known=("routes",), required=("routes",))
    if spec is None:
        return RoutesSpec(routes=())
    entries = spec.objects("routes", known=_ROUTE, required=_ROUTE, at_least=1)
    routes = tuple(_route(entry, document_id) for entry in entries)
    check_ids(entries, [route.id for route in routes])
    return RoutesSpec(routes=routes)


def _route(entry: Members, policy: str) -> Route:
    method = entry.choice("method", Method, Method.POST)
    dialect = entry.choice("dialect", Dialect, Dialect.CHAT)
    wanted = Method.GET if dialect is Dialect.MODELS else Method.POST
    if "method" in entry and "dialect" in entry and method is not wanted:
        fix = f"{dialect} is read of {wanted} requests."
        entry.notes.add("dialect-not-of-method", entry.at("dialect"), f"{dialect} does not go with {method}.", fix)
    return Route(
        id=entry.text("id", forms.ID),
        policy=policy,
        method=str(method),
        path=entry.text("path", forms.PATH),
        operation=entry.text("operation", forms.ONE_OPERATION),
        dialect=dialect,
    )
