# SPDX-License-Identifier: Apache-2.0
"""What a span says of exchanges that real addons made, and that the reference lists all of it."""

import re
from pathlib import Path

import pytest

from proxy_addons.core.span_facts import failed, span_attributes, span_name
from tests.unit.proxy_addons.harness import NOW, SECRET_PROMPT, chat, key_of, ready_harness, route, streamed_answer

REFERENCE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "traces.md"


def facts_of(told, **changes):
    return span_attributes(told.exchange, **{"method": "POST", "scheme": "http", "now_ns": 9_000_000} | changes)


def test_a_span_is_named_by_policy_alone():
    assert span_name("POST", route()) == "POST /v1/chat/completions"
    assert span_name("BREW", None) == "HTTP"


async def test_an_answered_exchange():
    facts = facts_of(await ready_harness().send(chat()))
    assert facts["gatehouse.total_us"] == facts["gatehouse.first_byte_us"] == 8000
    facts = {name: value for name, value in facts.items() if not name.endswith(("_us", ".size"))}
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", facts.pop("gatehouse.revision"))
    assert facts == {
        "url.scheme": "http",
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gatehouse.request_id": "req_00000000000000000000000001",
        "gatehouse.operation": "chat.completions",
        "gatehouse.outcome": "allow",
        "gatehouse.verdict": "forwarded",
        "gatehouse.guard": "asked",
    }


async def test_a_stream_has_a_first_byte_of_its_own():
    facts = facts_of(
        await ready_harness().send(chat(stream=True), upstream=streamed_answer("hello")), now_ns=19_000_000
    )
    assert (facts["gatehouse.first_byte_us"], facts["gatehouse.total_us"]) == (8000, 18000)


async def test_an_unknown_method_and_path_are_not_told():
    told = await ready_harness().send(chat(), method="CANARY", target=b"/canary")
    facts = facts_of(told, method="CANARY")
    assert facts["gatehouse.reason"] == "route-not-listed"
    assert not {"http.request.method", "http.route", "gatehouse.operation"} & facts.keys()
    assert "canary" not in str(facts).lower()
    assert not failed(told.exchange)


@pytest.mark.parametrize("fault", ["overloaded", "upstream-unavailable"])
async def test_what_is_answered_5xx_has_failed(fault):
    told = await ready_harness().send(chat(), fault=fault)
    assert failed(told.exchange)
    assert facts_of(told)["error.type"] == fault


async def test_nothing_of_client_subject_or_model_is_told():
    body = chat(user="canary-user", model="parrot-restricted")
    told = await ready_harness().send(body)
    text = str(facts_of(told))
    assert not [word for word in ("alice", "parrot", "canary", SECRET_PROMPT, key_of("alice"), "01KEY") if word in text]
    assert NOW.isoformat() not in text


async def test_the_reference_lists_every_attribute():
    harness = ready_harness()
    tolds = [
        await harness.send(chat()),
        await harness.send(chat(), target=b"/unlisted"),
        await harness.send(chat(), fault="overloaded"),
    ]
    tolds[0].exchange.upstream_started_ns, tolds[0].exchange.upstream_first_byte_ns = 1, 2
    written = set().union(*(facts_of(told) for told in tolds))
    assert written == set(re.findall(r"^\| `([a-z_.]+)` \|", REFERENCE.read_text(), re.MULTILINE))
