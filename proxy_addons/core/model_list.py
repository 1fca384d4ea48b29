# SPDX-License-Identifier: Apache-2.0
"""The upstream's list of models, less those that the subject may not use for anything."""

import json
from dataclasses import replace
from typing import Final

from policies.contracts.decision import Effect
from policies.contracts.request import EvaluationRequest, Resource
from policies.contracts.scope import Scope
from policies.contracts.snapshot import Dialect
from policies.engines.combine import combine
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.strict_json import NotStrictJson, parse_object

_USES: Final = frozenset(Dialect) - {Dialect.MODELS}


class ModelListInvalid(Exception):
    """The upstream's answer is not a list of models."""


def permitted_models(body: bytes, *, asked: EvaluationRequest, policy: ActivePolicy, scope: Scope) -> bytes:
    """Return `body` with only the models that access policy grants the subject for an operation of its `scope`.

    Guards are not asked: they decide on requests, and there is none yet. Raises ModelListInvalid.
    """
    try:
        listed = parse_object(body)
    except NotStrictJson:
        raise ModelListInvalid from None
    models = listed.get("data")
    if not isinstance(models, list) or not all(
        isinstance(model, dict) and isinstance(model.get("id"), str) for model in models
    ):
        raise ModelListInvalid
    named = {route.operation for route in policy.routes.values() if route.dialect in _USES}
    operations = sorted(filter(scope.permits_operation, named))
    permitted = [
        model
        for model in models
        if scope.permits_model(model["id"])
        and any(_granted(model["id"], operation, asked=asked, policy=policy) for operation in operations)
    ]
    kept = {**listed, "data": permitted}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _granted(model: str, operation: str, *, asked: EvaluationRequest, policy: ActivePolicy) -> bool:
    question = replace(asked, action=operation, resource=Resource(type="model", id=model))
    answer = policy.access.evaluate(question)
    return combine([answer], revision=policy.snapshot.revision).effect is Effect.ALLOW
