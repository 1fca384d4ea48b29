# SPDX-License-Identifier: Apache-2.0
"""The steps of the tour, in order. Each yields what it saw, a line at a time, or raises StepDiffers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

import openai
import yaml

from controlplane.local.control_socket import ask
from demo.stage import Sent, Stage, StepDiffers, expect

Step: TypeAlias = Callable[[Stage], Iterator[str]]

# Published test values; none of them opens anything.
_CARD: Final = "4111 1111 1111 1111"
_AWS_KEY: Final = "AKIAIOSFODNN7EXAMPLE"
_EMAIL: Final = "carol@example.com"
_SECRETS: Final = f"card {_CARD}, key {_AWS_KEY}, mail {_EMAIL}."
_REDACTED: Final = "card [redacted:payment-card], key [redacted:aws-access-key], mail [redacted:email]."


def alice_chats(stage: Stage) -> Iterator[str]:
    """Alice chats with the parrot, plain and streamed"""
    for stream in (False, True):
        said = stage.chat("alice", "Polly wants a cracker", stream=stream)
        expect("the answer", want="Polly wants a cracker", got=said)
        yield f"{'streamed' if stream else 'plain'}: {said}"


def no_key_no_answer(stage: Stage) -> Iterator[str]:
    """Without a key, or with a wrong one, nothing is answered"""
    yield "no key: " + stage.refused(lambda: stage.chat(None, "hello"), status=401, code="credentials-missing")
    yield "wrong key: " + stage.refused(lambda: stage.chat("nobody", "hello"), status=401, code="credentials-invalid")


def bob_lacks_a_grant(stage: Stage) -> Iterator[str]:
    """Bob asks for a model that he was not granted; alice may use it"""
    yield "bob: " + stage.refused(
        lambda: stage.chat("bob", "hello", model="parrot-restricted"),
        status=403,
        code="no-applicable-policy",
    )
    expect("alice's answer", want="hello", got=stage.chat("alice", "hello", model="parrot-restricted"))
    yield "alice: hello"


def unlisted_route(stage: Stage) -> Iterator[str]:
    """A route that no policy lists does not exist"""
    moderate = stage.client("alice").moderations.create
    yield stage.refused(lambda: moderate(input="hello"), status=404, code="route-not-listed")


def body_too_large(stage: Stage) -> Iterator[str]:
    """A body over the limit is refused before it is read"""
    text = "x" * stage.limits["max_body_bytes"]
    yield stage.refused(lambda: stage.chat("alice", text), status=413, code="body-too-large")


def guards_refuse(stage: Stage) -> Iterator[str]:
    """A guard written in Rego refuses, and says why"""
    cap = stage.limits["max_tokens"]
    yield f"max_tokens {cap + 1}: " + stage.refused(
        lambda: stage.chat("alice", "hello", max_tokens=cap + 1),
        status=403,
        code="max-tokens-over-cap",
    )
    tool = {"type": "function", "function": {"name": stage.limits["forbidden_tools"][0], "parameters": {}}}
    yield "a forbidden tool: " + stage.refused(
        lambda: stage.chat("alice", "hello", tools=[tool]),
        status=403,
        code="tool-not-permitted",
    )


def answers_are_redacted(stage: Stage) -> Iterator[str]:
    """A card number, an AWS key and an e-mail address in the model's answer come back redacted"""
    for stream in (False, True):
        said = stage.chat("alice", _SECRETS, stream=stream)
        expect("the answer", want=_REDACTED, got=said)
        yield f"{'streamed' if stream else 'plain'}: {said}"
        responded = stage.respond("alice", _SECRETS, stream=stream)
        expect("the response", want=_REDACTED, got=responded)


def a_policy_changes(stage: Stage) -> Iterator[str]:
    """The author revises a policy over the API; released and activated, it decides the next request"""
    author, approver = stage.roles["author"], stage.roles["approver"]
    before = approver.get("/v1/environments/production").body["desired"]
    policy = author.get("/v1/policies/request-caps")
    revised = yaml.safe_load(policy.body["source"])
    revised["spec"]["data"]["max_tokens"] = 300
    # The document's own tests are about the cap it had.
    revised["version"], revised["tests"] = "tour", []
    source = yaml.safe_dump(revised)
    author.post("/v1/policies/request-caps/revisions", {"source": source}, if_match=policy.etag)
    release = author.post("/v1/policy-sets/default/releases", {"description": "Tour: a lower cap"}).body
    expect("alice's answer before", want="hello", got=stage.chat("alice", "hello"))
    took_s = _activate(stage, release["id"])
    yield f"released as {release['revision'][:19]}…, enforced by every worker after {took_s:.2f} s"
    yield "max_tokens 400: " + stage.refused(
        lambda: stage.chat("alice", "hello"),
        status=403,
        code="max-tokens-over-cap",
    )
    record = _record_of(stage, stage.sent[-1])
    expect("the record's revision", want=release["revision"], got=record["revision"])
    yield f"its record names revision {record['revision'][:19]}…"
    restored = author.get("/v1/policies/request-caps")
    body = {"source": policy.body["source"]}
    author.post("/v1/policies/request-caps/revisions", body, if_match=restored.etag)
    took_s = _activate(stage, before["release"])
    expect("alice's answer after", want="hello", got=stage.chat("alice", "hello"))
    expect("the record's revision", want=before["revision"], got=_record_of(stage, stage.sent[-1])["revision"])
    yield f"rolled back after {took_s:.2f} s: hello"


def opa_dies(stage: Stage) -> Iterator[str]:
    """OPA is stopped: requests are refused, not passed; it is back: they are decided again"""
    if stage.embedded_rego:
        yield "no OPA server here: guards are evaluated in the proxy's process, there is nothing to stop"
        return
    ask(stage.home, "stop", "opa")
    yield "stopped: " + stage.refused(lambda: stage.chat("alice", "hello"), status=503, code="evaluation-failed")
    ask(stage.home, "start", "opa")

    def answers() -> bool:
        try:
            return stage.chat("alice", "hello") == "hello"
        except openai.APIStatusError as exc:
            stage.sent.append(Sent(request_id=exc.response.headers["x-request-id"], status=503, code=exc.code))
            return False

    yield f"started: hello, after {stage.until('an answer', answers):.2f} s"


def control_plane_dies(stage: Stage) -> Iterator[str]:
    """The control plane is stopped: the proxy goes on by the last policy, and its records arrive later, once"""
    ask(stage.home, "stop", "controlplane")
    expect("alice's answer", want="hello", got=stage.chat("alice", "hello"))
    waiting = stage.sent[-1]
    yield "stopped: hello"
    ask(stage.home, "start", "controlplane")
    took_s = stage.until("the record", lambda: any(r["request_id"] == waiting.request_id for r in stage.records()))
    yield f"started: its record arrived after {took_s:.2f} s"


def too_many_requests(stage: Stage) -> Iterator[str]:
    """Too many requests: bob is slowed down, alice is not"""
    allowed = int(stage.limits["rate"]["requests"])
    client = stage.client("bob")

    def list_models(_: int) -> Sent:
        try:
            raw = client.models.with_raw_response.list()
        except openai.APIStatusError as exc:
            return Sent(request_id=exc.response.headers["x-request-id"], status=exc.status_code, code=exc.code)
        return Sent(request_id=raw.headers["x-request-id"], status=raw.status_code, code=None)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(list_models, range(allowed + 10)))
    stage.sent += results
    refused = [sent for sent in results if sent.code == "rate-limited"]
    if not refused or any(sent.status not in (200, 429) for sent in results):
        raise StepDiffers(f"wanted some 429 and else 200, got {sorted(s.status for s in results)}")
    yield f"bob asked {len(results)} times: {len(results) - len(refused)} answered, {len(refused)} refused with 429"
    expect("alice's answer", want="hello", got=stage.chat("alice", "hello"))
    yield "alice: hello"


def the_auditor_sees_all(stage: Stage) -> Iterator[str]:
    """The auditor finds the decision of every step, and nothing else"""
    want = {sent.request_id: (sent.status, sent.code) for sent in stage.sent}
    stage.until("every record", lambda: len(list(stage.records())) >= len(want))
    got = {r["request_id"]: (r["status"], r["reasons"][0]["code"] if r["reasons"] else None) for r in stage.records()}
    expect("the requests on record", want=sorted(want), got=sorted(got))
    for request_id, decided in want.items():
        expect(f"the record of {request_id}", want=decided, got=got[request_id])
    yield f"{len(got)} requests were sent, {len(got)} decisions are on record, each with its reason"


def _activate(stage: Stage, release: str) -> float:
    approver = stage.roles["approver"]
    current = approver.get("/v1/environments/production")
    body = {"release": release, "environment": "production"}
    activation = approver.post("/v1/activations", body, if_match=current.etag).body
    return stage.until(
        "the activation on every worker",
        lambda: approver.get(f"/v1/activations/{activation['id']}").body["state"] == "active",
    )


def _record_of(stage: Stage, sent: Sent) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found[:] = [record for record in stage.records() if record["request_id"] == sent.request_id]
        return bool(found)

    stage.until("the record", arrived)
    return found[0]


STEPS: Final[tuple[Step, ...]] = (
    alice_chats,
    no_key_no_answer,
    bob_lacks_a_grant,
    unlisted_route,
    body_too_large,
    guards_refuse,
    answers_are_redacted,
    a_policy_changes,
    opa_dies,
    control_plane_dies,
    too_many_requests,
    the_auditor_sees_all,
)
