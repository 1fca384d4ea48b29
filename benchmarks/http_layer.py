# SPDX-License-Identifier: Apache-2.0
"""What the HTTP layer costs a request, beside bare mitmdump in the same interleaved run: req/s and CPU µs a request.

    python benchmarks/http_layer.py [ROUNDS] [SECONDS]

The layer runs with addons that only allow. CPU is user plus system time of the proxy's process. Compare ratios.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CONNECTIONS = 16
BODY = b'{"model":"parrot","messages":[{"role":"user","content":"' + b"x" * 960 + b'"}]}'
ANSWER_BODY = b'{"choices":[{"message":{"content":"' + b"y" * 660 + b'"}}]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER_BODY) + ANSWER_BODY
)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mock(asyncio.Protocol):
    """Answers each request, known by its full length, with the same bytes."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            if len(self.buffer) < end + 4 + len(BODY):
                return
            self.buffer = self.buffer[end + 4 + len(BODY) :]
            self.transport.write(ANSWER)


async def serve_gateway(port: int, upstream_port: int) -> None:
    from proxy_addons.worker import serve  # noqa: PLC0415  # after the path was set
    from tests.layer_rig import ALLOW, exchange_of, upstream_settings  # noqa: PLC0415

    class Allows:
        def requestheaders(self, flow):
            exchange_of(flow).max_body_bytes = 1_000_000

        def request(self, flow):
            exchange_of(flow).decision = ALLOW

    sock = socket.create_server(("127.0.0.1", port))
    await serve(
        sock=sock,
        addons=[Allows()],
        upstream=upstream_settings(f"http://127.0.0.1:{upstream_port}"),
        stop=asyncio.Event(),
    )


async def load(port: int, seconds: float) -> int:
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    )
    until, done = time.monotonic() + seconds, 0

    async def client():
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(ANSWER_BODY))
            done += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return done


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


async def main(rounds: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0)
    upstream = server.sockets[0].getsockname()[1]
    ports = {"gatehouse layer": unused_port(), "bare mitmdump": unused_port()}
    mitmdump = Path(sys.executable).with_name("mitmdump")
    commands = {
        "gatehouse layer": [sys.executable, __file__, "gateway", str(ports["gatehouse layer"]), str(upstream)],
        "bare mitmdump": [
            str(mitmdump), "-q", "--set", "flow_detail=0", "--listen-host", "127.0.0.1",
            "-p", str(ports["bare mitmdump"]), "--mode", f"reverse:http://127.0.0.1:{upstream}",
        ],
    }  # fmt: skip
    processes = {name: subprocess.Popen(command) for name, command in commands.items()}  # noqa: ASYNC220
    figures = {name: [] for name in commands}
    try:
        for name in commands:
            await asyncio.to_thread(wait_for, ports[name])
            await load(ports[name], 0.5)
        for _ in range(rounds):
            for name, process in processes.items():
                before, started = cpu_s(process.pid), time.monotonic()
                done = await load(ports[name], seconds)
                took = time.monotonic() - started
                figures[name].append((done / took, (cpu_s(process.pid) - before) / done * 1e6))
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    for name, rows in figures.items():
        rate, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:<16} {rate:>8.0f} req/s {cpu:>8.0f} µs CPU a request")


if __name__ == "__main__":
    if sys.argv[1:2] == ["gateway"]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_gateway(int(sys.argv[2]), int(sys.argv[3])))
    else:
        rounds, seconds = int((sys.argv[1:2] or ["3"])[0]), float((sys.argv[2:3] or ["3"])[0])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(rounds, seconds))
