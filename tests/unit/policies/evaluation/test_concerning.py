# SPDX-License-Identifier: Apache-2.0
"""Which rules are for a request, kind by kind, as the evaluation of requests has it."""

from datetime import UTC, datetime

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.document.loader import load_documents
from policies.evaluation.concerning import concerning

ACCESS = """\
kind: access
id: chat-access
version: "1"
spec:
  groups:
    staff: [user:alice]
  grants:
    - {id: staff-chat, effect: allow, subjects: [group:staff], models: [parrot], operations: [chat.completions]}
    - {id: nobody-owl, effect: deny, subjects: ["*"], models: [owl], operations: ["*"]}
    - {id: carol, effect: allow, subjects: [user:carol], models: ["*"], operations: ["*"]}
"""
ROUTES = """\
kind: routes
id: openai-routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
    - {id: list, method: GET, path: /v1/models, operation: models.list, dialect: openai.models}
"""
LIMITS = """\
kind: limits
id: staff-rate
version: "1"
spec:
  subjects: [group:staff]
  rate: {requests: 5, per_s: 60}
"""
REDACTION = """\
kind: redaction
id: mail
version: "1"
spec:
  rules:
    - {id: all, detectors: [email], action: replace}
    - {id: owls, detectors: [email], action: block, models: [owl]}
"""


@pytest.fixture(scope="module")
def snapshot():
    sources = {"a.yaml": ACCESS, "b.yaml": ROUTES, "c.yaml": LIMITS, "d.yaml": REDACTION}
    documents = load_documents({name: source.encode() for name, source in sources.items()})
    return compile_release(documents, tenant="default", environment="production", opa_binary=None)


def asked(subject="alice", model="parrot", action="chat.completions", groups=()):
    return EvaluationRequest(
        request_id="req",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id=subject, groups=groups),
        action=action,
        resource=Resource(type="model", id=model) if model else Resource(type="route", id=action),
        facts=RequestFacts(),
        at=datetime(2026, 11, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        pytest.param(
            asked(),
            {"chat-access": ("staff-chat",), "openai-routes": ("chat",), "staff-rate": (), "mail": ("all",)},
            id="by a group that a policy lists",
        ),
        pytest.param(
            asked(subject="dave", groups=("staff",)),
            {"chat-access": ("staff-chat",), "openai-routes": ("chat",), "staff-rate": (), "mail": ("all",)},
            id="by a group that a token names",
        ),
        pytest.param(asked(subject="mallory"), {"openai-routes": ("chat",), "mail": ("all",)}, id="by no grant"),
        pytest.param(
            asked(subject="mallory", model="owl"),
            {"chat-access": ("nobody-owl",), "openai-routes": ("chat",), "mail": ("all", "owls")},
            id="by a denial of all",
        ),
        pytest.param(
            asked(subject="carol", model="hawk"),
            {"chat-access": ("carol",), "openai-routes": ("chat",), "mail": ("all",)},
            id="by wildcards",
        ),
        pytest.param(
            asked(model=None, action="models.list"),
            {"openai-routes": ("list",), "staff-rate": (), "mail": ("all",)},
            id="without a model",
        ),
        pytest.param(asked(subject="mallory", action="images"), {"mail": ("all",)}, id="an operation without route"),
    ],
)
def test_concerning(snapshot, request_, want):
    assert concerning(snapshot, request_) == want


def test_of_a_prompts_policy_the_first_rule_that_selects_is_for_the_request():
    prompts = """\
kind: prompts
id: approved
version: "1"
spec:
  prompts: [{name: plain, text: You answer.}]
  rules:
    - {id: owls, insert: plain, models: [owl]}
    - {id: parrots, require: [plain], models: [parrot]}
    - {id: rest, insert: plain}
"""
    sources = {"a.yaml": ACCESS, "b.yaml": ROUTES, "c.yaml": prompts}
    documents = load_documents({name: source.encode() for name, source in sources.items()})
    made = compile_release(documents, tenant="default", environment="production", opa_binary=None)
    assert concerning(made, asked())["approved"] == ("parrots",)
    assert concerning(made, asked(model="jay"))["approved"] == ("rest",)
