# SPDX-License-Identifier: Apache-2.0
"""`gatehouse run` from outside: its files, its parts, what happens when they die, and how it ends."""

import hashlib
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.integration.conftest import RunningGatehouse, start, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def client_of(running: RunningGatehouse, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.credentials['proxy_url']}/v1", api_key=key, max_retries=0) as client:
        yield client


def chat(running: RunningGatehouse, text: str, **options: Any) -> tuple[str | None, str]:
    """Have alice say `text`, and return the answer with its request id."""
    body = {"model": "parrot", "messages": [{"role": "user", "content": text}], **options}
    with client_of(running, running.credentials["keys"]["alice"]) as client:
        raw = client.chat.completions.with_raw_response.create(**body)
        return raw.parse().choices[0].message.content, raw.headers["x-request-id"]


def say(running: RunningGatehouse, text: str) -> str | None:
    return chat(running, text)[0]


def test_the_official_client_gets_responses_plain_streamed_and_redacted(gatehouse):
    said, left = "Mail carol@example.com.", "Mail [redacted:email]."
    with client_of(gatehouse, gatehouse.credentials["keys"]["alice"]) as client:
        assert client.responses.create(model="parrot", input=said).output_text == left
        with client.responses.stream(model="parrot", input=said) as answer:
            pieces = [event.delta for event in answer if event.type == "response.output_text.delta"]
            assert answer.get_final_response().output_text == "".join(pieces) == left
        with pytest.raises(openai.BadRequestError) as told:
            client.responses.create(model="parrot", input=said, previous_response_id="resp_1")
        assert (told.value.code, told.value.param) == ("field-not-permitted", None)


def until(condition, deadline_s: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < deadline_s:
        try:
            if condition():
                return time.monotonic() - began
        except (httpx.HTTPError, openai.OpenAIError):
            pass
        time.sleep(0.05)
    pytest.fail(f"not within {deadline_s} s")


def test_credentials_are_private_and_complete(gatehouse):
    path = gatehouse.home / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = gatehouse.credentials
    assert set(held["tokens"]) == {"admin", "author", "approver", "auditor"}
    assert set(held["keys"]) == {"alice", "bob"}
    assert held["models"] == ["parrot", "parrot-restricted"]
    assert not held["proxy_url"].endswith("/v1")


def test_no_secret_is_in_a_log(gatehouse):
    say(gatehouse, "a sentence that no log may hold")
    held = gatehouse.credentials
    secrets = [*held["tokens"].values(), *held["keys"].values(), "a sentence that no log may hold"]
    for log in (gatehouse.home / "logs").iterdir():
        found = [secret[:8] for secret in secrets if secret in log.read_text(errors="replace")]
        assert found == [], log


@pytest.mark.parametrize("name", ["inference", "opa", "proxy", "controlplane"])
def test_killed_part_is_back_within_five_seconds(gatehouse, name):
    if name not in gatehouse.parts:
        pytest.skip("no OPA on this machine")
    pid = gatehouse.parts[name]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: gatehouse.parts[name]["pid"] not in (None, pid), deadline_s=5)
    until(lambda: say(gatehouse, "back") == "back", deadline_s=30)


def test_stopped_opa_refuses_and_started_opa_answers(gatehouse):
    if "opa" not in gatehouse.parts:
        pytest.skip("no OPA on this machine")
    assert gatehouse.gatehouse("part", "stop", "opa").returncode == 0
    with pytest.raises(openai.InternalServerError) as refused:
        say(gatehouse, "hello")
    assert refused.value.code == "evaluation-failed"
    assert gatehouse.gatehouse("part", "start", "opa").returncode == 0
    until(lambda: say(gatehouse, "hello") == "hello", deadline_s=10)


def test_records_wait_for_the_control_plane_and_arrive_once(gatehouse):
    assert gatehouse.gatehouse("part", "stop", "controlplane").returncode == 0
    _, request_id = chat(gatehouse, "while it is away")
    assert gatehouse.gatehouse("part", "start", "controlplane").returncode == 0

    def records() -> list[dict]:
        asked = gatehouse.gatehouse("decisions", "query", "--json", "--limit", "1000")
        return [item for item in json.loads(asked.stdout)["items"] if item["request_id"] == request_id]

    until(lambda: len(records()) == 1, deadline_s=15)
    time.sleep(1)
    shown = json.loads(gatehouse.gatehouse("decisions", "show", request_id, "--json").stdout)
    weights = hashlib.sha256((gatehouse.home / "models" / "parrot" / "model.safetensors").read_bytes()).hexdigest()
    assert shown["envelope"]["model_digest"] == f"sha256:{weights}"


def test_a_revoked_key_is_refused_everywhere_and_stays_so(gatehouse):
    """How soon is measured by benchmarks.changes: beside other tests, a part may just be starting again."""
    made = json.loads(gatehouse.gatehouse("key", "create", "user:alice", "--json").stdout)
    with client_of(gatehouse, made["key"]) as client:
        until(lambda: client.models.list().data, deadline_s=5)
        assert gatehouse.gatehouse("key", "revoke", made["id"]).returncode == 0
        until(lambda: all(_refusal_of(client) == "credentials-revoked" for _ in range(8)), deadline_s=15)
        assert {_refusal_of(client) for _ in range(8)} == {"credentials-revoked"}


def _refusal_of(client: openai.OpenAI) -> str | None:
    try:
        client.models.list()
    except openai.AuthenticationError as refused:
        return refused.code
    return None


def test_unknown_part_is_named_with_those_there_are(gatehouse):
    answer = gatehouse.gatehouse("part", "stop", "nothing")
    assert answer.returncode == 1
    assert "controlplane" in answer.stderr


def test_second_start_is_quick_and_keeps_keys_and_the_end_is_clean(tmp_path: Path):
    first = start(tmp_path / "home")
    held = first.credentials
    pids = [part["pid"] for part in first.parts.values()]
    assert stop(first) == 0
    assert not (tmp_path / "home" / "run" / "processes.json").exists()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    second = start(tmp_path / "home")
    try:
        assert second.credentials["keys"] == held["keys"]
        assert second.credentials["tokens"] == held["tokens"]
        assert say(second, "again") == "again"
    finally:
        assert stop(second) == 0


def test_two_copies_run_side_by_side_and_the_embedded_engine_decides(gatehouse, tmp_path: Path):
    other = start(tmp_path / "other", "--embedded-rego")
    try:
        assert "opa" not in other.parts
        assert say(other, "here") == "here"
        assert say(gatehouse, "there") == "there"
        with pytest.raises(openai.PermissionDeniedError) as refused:
            chat(other, "hello", max_tokens=other.credentials["limits"]["max_tokens"] + 1)
        assert refused.value.code == "max-tokens-over-cap"
    finally:
        assert stop(other) == 0


class ExistingServer(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that was there before: says who asked it, and with what."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.seen.append(dict(self.headers))
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content = f"mail carol@example.com: {asked['messages'][-1]['content']}"
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def existing_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), ExistingServer)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_stands_before_an_existing_server_with_a_key_of_its_own(tmp_path: Path, existing_server):
    key = tmp_path / "upstream-key"
    key.write_text("sk-upstream-only\n")
    url = f"http://127.0.0.1:{existing_server.server_port}"
    running = start(tmp_path / "home", "--upstream", url, "--upstream-key-file", str(key))
    try:
        assert "inference" not in running.parts
        said, _ = chat(running, "hello", model="any-model-it-has")
        assert said == "mail [redacted:email]: hello"
        assert existing_server.seen[-1]["Authorization"] == "Bearer sk-upstream-only"
        assert running.credentials["keys"]["alice"] not in str(existing_server.seen)
    finally:
        assert stop(running) == 0
