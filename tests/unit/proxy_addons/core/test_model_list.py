# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.scope import UNSCOPED
from proxy_addons.core.model_list import ModelListInvalid, permitted_models
from tests.unit.proxy_addons.harness import NOW, active_policy


def asked(name: str) -> EvaluationRequest:
    return EvaluationRequest(
        request_id="req_1",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id=name),
        action="models.list",
        resource=Resource(type="route", id="models.list"),
        facts=RequestFacts(),
        at=NOW,
    )


@pytest.mark.parametrize(
    ("name", "want"), [("alice", ["parrot", "parrot-restricted"]), ("bob", ["parrot"]), ("carol", [])]
)
def test_only_granted_models_are_listed(name, want):
    body = b'{"object":"list","data":[{"id":"parrot"},{"id":"parrot-restricted"},{"id":"PARROT"}]}'
    listed = json.loads(permitted_models(body, asked=asked(name), policy=active_policy(), scope=UNSCOPED))
    assert [model["id"] for model in listed["data"]] == want
    assert listed["object"] == "list"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":["parrot"]}', b'{"data":[{"id":1}]}'])
def test_answer_that_is_no_list_is_invalid(body):
    with pytest.raises(ModelListInvalid):
        permitted_models(body, asked=asked("alice"), policy=active_policy(), scope=UNSCOPED)
