# SPDX-License-Identifier: Apache-2.0
"""The `spec` of each kind of document (`docs/spec/policy-document.md`), one reader a kind."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.errors import Position
from policies.contracts.snapshot import Dialect, Grant, Rate, RedactionAction, RedactionRule, Route
from policies.document import names
from policies.document.model import (
    AccessSpec,
    Group,
    GuardSpec,
    Kind,
    LimitsSpec,
    Placed,
    RedactionSpec,
    RoutesSpec,
    Spec,
)
from policies.document.reader import Reader
from policies.document.tree import MapNode, Node, ScalarNode

_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_METHOD: Final = re.compile(r"GET|POST")
_MAX_MODULE: Final = 128 * 1024
_LARGEST_BODY: Final = 64 * 1024 * 1024
_METHOD_OF: Final = {Dialect.CHAT: "POST", Dialect.COMPLETIONS: "POST", Dialect.MODELS: "GET"}


def read_access(reader: Reader, node: Node | None, at: Position, policy: str) -> AccessSpec:  # noqa: ARG001
    spec = reader.members(node, at, required=("grants",), optional=("groups",))
    groups = []
    held = spec.get("groups")
    if held is not None and not isinstance(held, MapNode):
        reader.problem("wrong-type", held.at, "'groups' must be a map from a group's name to its members.")
    for name, name_at, members in held.entries if isinstance(held, MapNode) else ():
        group = Placed(name=names.group_name(reader, name, name_at), at=name_at)
        items = reader.items(members, what="A group's members")
        groups.append(Group(name=group, members=tuple(names.person(reader, item) for item in items)))
    grants: list[Grant] = []
    uses: list[Placed] = []
    places: list[tuple[str, Position]] = []
    for item in reader.items(spec.get("grants"), what="'grants'", least=1):
        row = reader.members(item, item.at, required=("id", "effect", "subjects", "operations"), optional=("models",))
        subjects, used = names.subjects(reader, row.get("subjects"), what="'subjects'")
        grant = Grant(
            id=reader.identifier(row.get("id"), what="a grant's id"),
            effect=reader.choice(row.get("effect"), Effect, default=Effect.DENY, what="an effect"),
            subjects=subjects,
            models=names.models(reader, row.get("models")),
            operations=names.operations(reader, row.get("operations"), least=1),
        )
        grants.append(grant)
        uses += used
        places.append((grant.id, item.at))
    reader.unique(places, what="grants")
    return AccessSpec(groups=tuple(groups), grants=tuple(grants), group_uses=tuple(uses))


def read_guard(reader: Reader, node: Node | None, at: Position, policy: str) -> GuardSpec:  # noqa: ARG001
    spec = reader.members(node, at, required=("module", "reasons"), optional=("data",))
    reasons: dict[str, str] = {}
    reasons_at: dict[str, Position] = {}
    held = reader.members(spec.get("reasons"), at, required=(), optional=_keys(spec.get("reasons")))
    for name, name_at, message in held.entries:
        code = reader.identifier(ScalarNode(name_at, "str", name), what="a reason code")
        reasons[code] = reader.text(message, what="A reason's message", longest=256)
        reasons_at[code] = name_at
    raw = spec.get("data")
    data = reader.json(raw) if raw is not None else {}
    if not isinstance(data, Mapping):
        reader.problem("wrong-type", raw.at if raw else at, "'data' must be a map.")
        data = {}
    module = spec.get("module")
    module_at = module.at if module else at
    if isinstance(module, ScalarNode) and module.block:
        # The mark stands at the `|`; the text begins on the next line.
        module_at = Position(file=module_at.file, line=module_at.line + 1, column=1, pointer=module_at.pointer)
    return GuardSpec(
        module=reader.text(module, what="'module'", longest=_MAX_MODULE),
        module_at=module_at,
        data=data,
        reasons=reasons,
        reasons_at=reasons_at,
    )


def read_routes(reader: Reader, node: Node | None, at: Position, policy: str) -> RoutesSpec:
    spec = reader.members(node, at, required=("routes",), optional=())
    routes, places = [], []
    for item in reader.items(spec.get("routes"), what="'routes'", least=1):
        row = reader.members(item, item.at, required=("id", "method", "path", "operation", "dialect"), optional=())
        dialect = reader.choice(row.get("dialect"), Dialect, default=Dialect.CHAT, what="a dialect")
        method = reader.matching(row.get("method"), _METHOD, what="a method", form="GET or POST")
        if method and row.get("dialect") is not None and method != _METHOD_OF[dialect]:
            reader.problem("wrong-method", item.at, f"The dialect {dialect} is spoken with {_METHOD_OF[dialect]}.")
        form = "'/' and segments of letters, digits and '._~-', none empty, none beginning with '.', no '/' at the end"
        routes.append(
            Route(
                id=reader.identifier(row.get("id"), what="a route's id"),
                policy=policy,
                method=method,
                path=reader.matching(row.get("path"), _PATH, what="a path", form=form),
                operation=names.operation(reader, row.get("operation")),
                dialect=dialect,
            ),
        )
        places.append(item.at)
    reader.unique(zip((route.id for route in routes), places, strict=True), what="routes")
    return RoutesSpec(routes=tuple(routes), routes_at=tuple(places))


def read_limits(reader: Reader, node: Node | None, at: Position, policy: str) -> LimitsSpec:  # noqa: ARG001
    spec = reader.members(node, at, required=("subjects",), optional=("max_body_bytes", "rate"))
    size, rate_node = spec.get("max_body_bytes"), spec.get("rate")
    if size is None and rate_node is None:
        fix = "Add 'max_body_bytes' or 'rate'."
        reader.problem("missing-field", spec.at, "It limits nothing.", fix)
    subjects, uses = names.subjects(reader, spec.get("subjects"), what="'subjects'")
    rate = None
    if rate_node is not None:
        row = reader.members(rate_node, rate_node.at, required=("requests", "per_s"), optional=())
        rate = Rate(
            requests=reader.integer(row.get("requests"), least=1, most=1_000_000, what="'requests'"),
            per_s=reader.integer(row.get("per_s"), least=1, most=86_400, what="'per_s'"),
        )
    most = _LARGEST_BODY
    return LimitsSpec(
        subjects=subjects,
        max_body_bytes=None if size is None else reader.integer(size, least=1, most=most, what="'max_body_bytes'"),
        rate=rate,
        group_uses=uses,
    )


def read_redaction(reader: Reader, node: Node | None, at: Position, policy: str) -> RedactionSpec:  # noqa: ARG001
    spec = reader.members(node, at, required=("rules",), optional=("operations", "models"))
    rules: list[RedactionRule] = []
    uses: list[Placed] = []
    places: list[tuple[str, Position]] = []
    for item in reader.items(spec.get("rules"), what="'rules'", least=1):
        row = reader.members(item, item.at, required=("id", "detectors", "action"), optional=())
        detectors = reader.items(row.get("detectors"), what="'detectors'", least=1)
        named = tuple(reader.identifier(detector, what="a detector") for detector in detectors)
        uses += [Placed(name=name, at=d.at) for name, d in zip(named, detectors, strict=True) if name]
        rule = RedactionRule(
            id=reader.identifier(row.get("id"), what="a rule's id"),
            detectors=named,
            action=reader.choice(row.get("action"), RedactionAction, default=RedactionAction.BLOCK, what="an action"),
        )
        rules.append(rule)
        places.append((rule.id, item.at))
    reader.unique(places, what="rules")
    return RedactionSpec(
        operations=names.operations(reader, spec.get("operations")),
        models=names.models(reader, spec.get("models")),
        rules=tuple(rules),
        detector_uses=tuple(uses),
    )


def _keys(node: Node | None) -> tuple[str, ...]:
    return tuple(name for name, _, _ in node.entries) if isinstance(node, MapNode) else ()


READERS: Final[Mapping[Kind, Callable[[Reader, Node | None, Position, str], Spec]]] = {
    Kind.ACCESS: read_access,
    Kind.GUARD: read_guard,
    Kind.ROUTES: read_routes,
    Kind.LIMITS: read_limits,
    Kind.REDACTION: read_redaction,
}
