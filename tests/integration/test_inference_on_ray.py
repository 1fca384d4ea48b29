# SPDX-License-Identifier: Apache-2.0
"""`serve --ray` for real: two replicas on a Ray cluster of this machine, asked over mTLS, and stopped."""

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inference.cluster.certificates import ClusterCertificates, make_certificates
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# Ray, its controller and two replicas that import torch, on a machine that does other things.
STARTED_WITHIN_S = 120
STOPPED_WITHIN_S = 30
# A line of a replica: whose it is, then its own log line.
REPLICA_LINE = re.compile(r"^\(ServeReplica:\S+ pid=(\d+)\) (\{.*\})$", re.MULTILINE)
LONG = "x" * 1500
LOOPBACK = {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@dataclass
class Cluster:
    process: subprocess.Popen[bytes]
    url: str
    metrics_port: int
    files: ClusterCertificates
    log: Path
    started: dict[int, psutil.Process] = field(default_factory=dict)

    def client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.files.authority))
        # The same certificate on both sides: what is tested is that one is asked for.
        context.load_cert_chain(self.files.certificate, self.files.key)
        return httpx.Client(base_url=self.url, verify=context, trust_env=False, timeout=60)

    def note_processes(self) -> None:
        for process in psutil.Process(self.process.pid).children(recursive=True):
            self.started[process.pid] = process

    def answers(self) -> list[tuple[int, int]]:
        """Of each finished answer the replica and the tokens of its prompt."""
        lines = [(int(pid), json.loads(line)) for pid, line in REPLICA_LINE.findall(self.log.read_text())]
        return [(pid, line["prompt_tokens"]) for pid, line in lines if line["event"] == "answer_finished"]


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    model, log = folder / "parrot", folder / "log"
    build = [sys.executable, "-m", "inference", "build-parrot", str(model)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    files = make_certificates(folder, now=lambda: datetime.now(UTC))
    command = [sys.executable, "-m", "inference", "serve", "--model", f"parrot={model}", "--port", "0"]
    command += ["--tls-cert", files.certificate, "--tls-key", files.key, "--client-ca", files.authority]
    command += ["--ray", "--min-replicas", "2", "--replica-cpus", "0.5"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    cluster = Cluster(process, "", 0, files, log)
    try:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not (told := re.findall(r'^\{.*"event": "server_listening".*\}$', log.read_text(), re.MULTILINE)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        listening = json.loads(told[0])
        cluster.url, cluster.metrics_port = f"https://127.0.0.1:{listening['port']}", listening["metrics_port"]
        cluster.note_processes()
        yield cluster
    finally:
        if process.poll() is None:
            cluster.note_processes()
            process.kill()
            process.wait()
        for left in cluster.started.values():
            if left.is_running():
                left.kill()


def chat(text: str, **wishes: object) -> dict[str, Any]:
    return {"model": "parrot", "messages": [{"role": "user", "content": text}], **wishes}


def wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 10
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def streamed(client: httpx.Client, text: str) -> str:
    got = ""
    with client.stream("POST", "/v1/chat/completions", json=chat(text, stream=True)) as stream:
        events = [line.removeprefix("data: ") for line in stream.iter_lines() if line]
    assert events[-1] == "[DONE]"
    for event in map(json.loads, events[:-1]):
        got += event["choices"][0]["delta"].get("content") or ""
    return got


def wait_until_nothing_runs(cluster: Cluster) -> None:
    """Every replica says by itself that no generation is left of those whose clients have gone."""
    deadline = time.monotonic() + 20
    while True:
        page = httpx.get(f"http://127.0.0.1:{cluster.metrics_port}/metrics", trust_env=False, timeout=20).text
        series = [
            sample
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name in {"vllm:num_requests_running", "vllm:num_requests_waiting"}
        ]
        assert len({sample.labels["replica"] for sample in series}) == 2
        if not any(sample.value for sample in series):
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def leave_in_the_middle(client: httpx.Client) -> None:
    with client.stream("POST", "/v1/chat/completions", json=chat(LONG, stream=True)) as stream:
        assert next(stream.iter_lines())


def test_answers_streams_cancels_uses_every_replica_and_leaves_nothing_behind(tmp_path):
    with running_cluster(tmp_path) as cluster:
        with cluster.client() as client:
            wait_until_ready(client)
            whole = client.post("/v1/chat/completions", json=chat("Polly wants a cracker")).json()
            assert whole["choices"][0]["message"]["content"] == "Polly wants a cracker"
            assert streamed(client, "Grüße 🎉") == "Grüße 🎉"
            assert client.post("/v1/chat/completions", json=chat("x", n=0)).status_code == 400

            for _ in range(4):
                leave_in_the_middle(client)
            wait_until_nothing_runs(cluster)
            with ThreadPoolExecutor(8) as asking:
                said = [f"parrot {number}" for number in range(24)]
                assert list(asking.map(lambda text: streamed(client, text), said)) == said
            answers = cluster.answers()
            assert len({replica for replica, _ in answers}) == 2, "one replica was never asked"
            # One that went on without its client would have finished by now, or would have kept the others waiting.
            assert all(prompt_tokens < len(LONG) for _, prompt_tokens in answers)

        strangers_are_refused(cluster)
        cluster.note_processes()
        ray_s_own_ports_ask_for_a_certificate_too(cluster)
        cluster.process.send_signal(signal.SIGTERM)
        assert cluster.process.wait(STOPPED_WITHIN_S) == 0, cluster.log.read_text()
        _, alive = psutil.wait_procs(cluster.started.values(), timeout=STOPPED_WITHIN_S)
        assert [each.name() for each in alive] == []
        assert not [line for line in cluster.log.read_text().splitlines() if "Traceback" in line]
        # What was asked and answered is nobody's business.
        assert "cracker" not in cluster.log.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "authority.pem",
        "certificate.pem",
        "key.pem",
        "log",
        "parrot",
    ]


def strangers_are_refused(cluster: Cluster) -> None:
    context = ssl.create_default_context(cafile=str(cluster.files.authority))
    with httpx.Client(verify=context, trust_env=False) as stranger, pytest.raises(httpx.TransportError):
        stranger.get(f"{cluster.url}/healthz")


def ray_s_own_ports_ask_for_a_certificate_too(cluster: Cluster) -> None:
    """Those that others than this machine could reach."""
    everyone = [*cluster.started.values(), psutil.Process(cluster.process.pid)]
    listening = [each for process in everyone for each in process.net_connections("tcp") if each.status == "LISTEN"]
    [folder] = {
        Path(found)
        for process in everyone
        for found in re.findall(r"/tmp/gatehouse-ray-\w+", " ".join(process.cmdline()))
    }
    for port in {each.laddr.port for each in listening if each.laddr.ip not in LOOPBACK}:
        with_one = ClusterCertificates(
            authority=folder / "authority.pem", certificate=folder / "certificate.pem", key=folder / "key.pem"
        )
        assert said_by(port, with_one) != b""
        assert said_by(port, None) == b""


def said_by(port: int, files: ClusterCertificates | None) -> bytes:
    """What the server says first to a peer that speaks gRPC, with the cluster's certificate or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if files is not None:
        context.load_cert_chain(files.certificate, files.key)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain) as peer:
            # In TLS 1.3 a peer is refused after its side of the handshake.
            peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            return peer.recv(4096)
    except (ssl.SSLError, ConnectionError):
        return b""
