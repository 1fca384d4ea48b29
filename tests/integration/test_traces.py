# SPDX-License-Identifier: Apache-2.0
"""A node as it is shipped that sends its telemetry to a collector, and one whose collector is dead."""

import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.node_collector import attributes_of, running_collector
from tests.policy_documents import shipped
from tests.running_node import RunningNode, running_node, unused_port

PROMPT, ANSWER, STATE, NAMED = "canary-prompt", "canary-answer", "canary-state", "canary-request-id"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
WHOLE = {"role": "assistant", "content": ANSWER}


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "parrot", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


class Inference:
    """Answers plainly, in a stream, or in a stream that breaks off; `heads` are what it was asked with."""

    def __init__(self) -> None:
        self.heads: list[dict[str, str]] = []
        self.port = 0

    @contextmanager
    def running(self) -> Iterator["Inference"]:
        inference = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                inference.heads.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                if not asked.get("stream"):
                    choice = {"index": 0, "message": WHOLE, "finish_reason": "stop"}
                    whole = {
                        "id": "c",
                        "object": "chat.completion",
                        "created": 1,
                        "model": "parrot",
                        "choices": [choice],
                    }
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(json.dumps(whole).encode())
                    return
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(event({"role": "assistant", "content": ANSWER}))
                if asked["messages"][0]["content"].endswith("breaks"):
                    self.wfile.write(b"data: {no json\n\n")
                self.wfile.write(event({}, "stop") + b"data: [DONE]\n\n")

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)


def ask(node: RunningNode, path: str = "/v1/chat/completions", *, text: str = PROMPT, **more) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {node.key}", "Content-Type": "application/json", "x-request-id": NAMED}
    body = {"model": "parrot", "messages": [{"role": "user", "content": text}], "stream": more.pop("stream", False)}
    asking = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    try:
        asking.request("POST", path, json.dumps(body), {**headers, **more})
        answer = asking.getresponse()
        return answer.status, answer.read().decode()
    finally:
        asking.close()


def test_every_kind_of_exchange_is_a_span_without_content(tmp_path):
    with Inference().running() as inference, running_collector() as collector:
        telemetry = {"GATEHOUSE_OTLP_ENDPOINT": collector.url, "GATEHOUSE_OTLP_INTERVAL_S": "1"}
        upstream = f"http://127.0.0.1:{inference.port}"
        with running_node(tmp_path, shipped(), upstream_url=upstream, **telemetry) as node:
            assert ask(node, traceparent=PARENT, tracestate=f"vendor={STATE}")[0] == 200
            assert ask(node, stream=True)[1].endswith("data: [DONE]\n\n")
            assert ask(node, "/v1/canary-path")[0] == 404
            assert ask(node, text=f"{PROMPT} breaks", stream=True)[0] == 200
            assert ask(node, Authorization="Bearer canary-key")[0] == 401
            unsampled = PARENT[:-2] + "00"
            assert ask(node, traceparent=unsampled)[0] == 200
            collector.until(lambda: len(collector.spans) >= 5 and len(collector.metrics) >= 2)
        spans = {attributes_of(span)["gatehouse.request_id"]: span for span in collector.spans}
        records = node.terminal_records()

    assert len(spans) == len(collector.spans) == 5
    assert len(records) == 6
    plain, streamed, unlisted, cut, unknown = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    chats = "POST /v1/chat/completions"
    assert [span.name for span in (plain, streamed, unlisted, cut)] == [chats, chats, "HTTP", chats]
    assert {span.kind for span in collector.spans} == {2}
    said = [attributes_of(span) for span in (plain, streamed, unlisted, cut, unknown)]
    assert [each.get("gatehouse.verdict") for each in said] == ["forwarded", "forwarded", "blocked", "cut", "blocked"]
    assert [each["http.response.status_code"] for each in said] == [200, 200, 404, 200, 401]
    assert said[2]["gatehouse.reason"] == "route-not-listed"
    assert said[0]["gatehouse.revision"].startswith("sha256:")
    for record in records:
        if span := spans.get(record["request_id"]):
            assert record["trace_id"] == span.trace_id.hex()

    # Its parent is the client's, and the upstream's parent is it.
    assert (plain.trace_id.hex(), plain.parent_span_id.hex()) == (TRACE, SPAN)
    assert inference.heads[0]["traceparent"] == f"00-{TRACE}-{plain.span_id.hex()}-01"
    assert inference.heads[0]["tracestate"] == f"vendor={STATE}"
    assert inference.heads[1]["traceparent"] == f"00-{streamed.trace_id.hex()}-{streamed.span_id.hex()}-01"
    assert inference.heads[-1]["traceparent"] == unsampled

    forbidden = (b"canary", node.key.encode(), b"user:alice", b"alice", b"127.0.0.1")
    assert [word for body in collector.raw for word in forbidden if word in body] == []
    metrics = collector.metrics[-1].resource_metrics[0]
    counted = {
        metric.name: sum(point.as_double for point in metric.sum.data_points)
        for metric in metrics.scope_metrics[0].metrics
    }
    assert counted["gatehouse_requests_total"] == 6
    assert attributes_of(metrics.resource)["service.name"] == "gatehouse-proxy"


def test_a_dead_collector_changes_nothing_for_requests_nor_for_the_end(tmp_path):
    with Inference().running() as inference, socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http://127.0.0.1:{inference.port}"
        telemetry = {"GATEHOUSE_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with running_node(tmp_path, shipped(), upstream_url=upstream, **telemetry) as node:
            assert [ask(node)[0] for _ in range(20)] == [200] * 20
            assert ask(node, stream=True)[1].endswith("data: [DONE]\n\n")
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(30) == 0
    assert len(node.terminal_records()) == 21
    assert "worker_overdue" not in node.log()


def test_a_collector_that_refuses_connections_is_one_line_of_the_log(tmp_path):
    with Inference().running() as inference:
        upstream = f"http://127.0.0.1:{inference.port}"
        telemetry = {"GATEHOUSE_OTLP_ENDPOINT": f"http://127.0.0.1:{unused_port()}", "GATEHOUSE_OTLP_INTERVAL_S": "1"}
        with running_node(tmp_path, shipped(), upstream_url=upstream, **telemetry) as node:
            assert [ask(node)[0] for _ in range(5)] == [200] * 5
    lines = [json.loads(line) for line in node.log().splitlines()]
    signals = [line["signal"] for line in lines if line["event"] == "telemetry_not_exported"]
    assert len(signals) == len(set(signals))
