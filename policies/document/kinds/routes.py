# SPDX-License-Identifier: Apache-2.0
"""`routes`: which methods and paths there are, and how their bodies are read."""

from enum import StrEnum
from typing import Final

from policies.contracts.snapshot import Dialect, Encoding, Modality, Route, UnknownFields
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import RoutesSpec
from policies.document.reader import Members

_ROUTE: Final = ("id", "method", "path", "operation", "dialect")
# How a body is read: without meaning where there is none.
_OF_BODY: Final = ("unknown_fields", "allow_fields", "encodings", "allow_uncovered")
# Which dialects can carry content that no detector reads.
_UNCOVERED: Final = {
    Dialect.CHAT: frozenset(Modality),
    Dialect.RESPONSES: frozenset(Modality),
    Dialect.TRANSCRIPTIONS: frozenset({Modality.AUDIO}),
}


class Method(StrEnum):
    GET = "GET"
    POST = "POST"


def read_routes(document: Members, document_id: str) -> RoutesSpec:
    """Return the `spec` of a routes policy."""
    spec = document.object("spec", known=("routes",), required=("routes",))
    if spec is None:
        return RoutesSpec(routes=())
    entries = spec.objects("routes", known=(*_ROUTE, *_OF_BODY), required=_ROUTE, at_least=1)
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
    route = Route(
        id=entry.text("id", forms.ID),
        policy=policy,
        method=str(method),
        path=entry.text("path", forms.PATH),
        operation=entry.text("operation", forms.ONE_OPERATION),
        dialect=dialect,
        unknown_fields=entry.choice("unknown_fields", UnknownFields, UnknownFields.REFUSE),
        allow_fields=entry.texts("allow_fields", forms.FIELD),
        encodings=entry.choices("encodings", Encoding),
        allow_uncovered=entry.choices("allow_uncovered", Modality),
    )
    _check_options(entry, route)
    return route


def _check_options(entry: Members, route: Route) -> None:
    """Note options that would change nothing: their author expects something that does not happen."""
    if route.dialect is Dialect.MODELS:
        for name in _OF_BODY:
            if name in entry:
                problem = f"{route.dialect} takes no body, so {name} means nothing."
                entry.notes.add("option-without-effect", entry.at(name), problem, "Remove it.")
        return
    beyond = [modality for modality in route.allow_uncovered if modality not in _UNCOVERED.get(route.dialect, ())]
    if beyond:
        problem = f"{route.dialect} carries no {beyond[0]}."
        entry.notes.add("option-without-effect", entry.at("allow_uncovered"), problem, "Remove it.")
