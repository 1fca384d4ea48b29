# SPDX-License-Identifier: Apache-2.0
"""What is wrong with rules for system prompts as part of a release."""

from collections.abc import Iterator, Sequence

from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument, PromptsSpec, RoutesSpec
from policies.evaluation.system_prompts import WITH_ROLES


def check_prompts(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    """Give the operations that a rule names and that have no system prompt: the rule could only ever refuse them."""
    routes = [
        route for document in documents if isinstance(document.spec, RoutesSpec) for route in document.spec.routes
    ]
    with_roles = {route.operation for route in routes if route.dialect in WITH_ROLES}
    without = {route.operation for route in routes} - with_roles
    for document in documents:
        if not isinstance(document.spec, PromptsSpec):
            continue
        for number, rule in enumerate(document.spec.rules):
            for index, operation in enumerate(rule.operations):
                if operation in without:
                    at = document.places.at(f"/spec/rules/{number}/operations/{index}")
                    message = f"Requests of {operation!r} have no system prompt."
                    fix = "Name operations of chat or responses; forbid this one in an access policy."
                    yield Diagnostic(code="no-system-prompt", at=at, message=message, fix=fix)
