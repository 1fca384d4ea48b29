# SPDX-License-Identifier: Apache-2.0
"""One round of `benchmarks/stages.py`, as a process of its own: prints µs of processor time by stage, as JSON.

It is run with the modules of the checkout that is measured, so it uses only what every checkout has.
"""

import asyncio
import inspect
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.http import HTTPFlow

from benchmarks.traffic import request_body, whole_answer
from policies.contracts.decision import Mode
from policies.contracts.record import DecisionRecord
from policies.contracts.snapshot import LimitPolicy, Rate
from proxy_addons.clients.rates import SharedRates
from proxy_addons.clients.spool import Spool
from proxy_addons.core.exchange import EXCHANGE, Exchange
from proxy_addons.core.request_id import new_request_id
from proxy_addons.node.spool_reader import SpoolReader
from tests.unit.proxy_addons.harness import NOW, FakeGuard, Harness, active_policy, head, key_ring

try:
    from tests.spools import open_spool, unnumbered
except ImportError:  # a checkout of before the spool numbered what it writes
    open_spool = Spool.open

    def unnumbered(record: DecisionRecord) -> DecisionRecord:
        return record


_BATCHES = 10
_REQUESTS = 100
_RECORDS = 500
_WRITERS = 16


class RememberingGuard(FakeGuard):
    """Gives one answer again and again, as a guard does whose decision may be reused."""

    answer = None

    async def evaluate(self, request, access):
        if self.answer is None:
            self.answer = await super().evaluate(request, access)
        return self.answer


async def addon_stages(folder: Path) -> tuple[dict[str, float], DecisionRecord]:
    """Return what each addon takes at each hook for a 1 KB chat request and its 0.7 KB answer, the least of batches."""
    limits = LimitPolicy(
        id="limits", version="1", mode=Mode.ENFORCE, subjects=("*",), max_body_bytes=65_536,
        rate=Rate(requests=10**9, per_s=1),
    )  # fmt: skip
    harness = Harness(policy=active_policy(limits=(limits,), guard=RememberingGuard()), keys=key_ring())
    rates = SharedRates(folder / "rates", scope="default/production")
    least: dict[str, float] = {}
    for _ in range(_BATCHES):
        taken_ns: Counter[str] = Counter()
        for _ in range(_REQUESTS):
            await _exchange(harness, taken_ns)
        for stage, total_ns in taken_ns.items():
            least[stage] = min(least.get(stage, total_ns), total_ns)
    least = {stage: total_ns / _REQUESTS / 1e3 for stage, total_ns in least.items()}
    asked = "user:alice"
    least["a rate, alone"] = await _least_us(lambda: rates.take("limits", asked, Rate(requests=10**9, per_s=1)))
    return least, harness.sink.records[-1]


async def _exchange(harness: Harness, taken_ns: "Counter[str]") -> None:
    content = request_body(stream=False)
    exchange = Exchange(request_id=new_request_id(1), received_at=NOW, started_ns=1)
    flow = HTTPFlow(Client(peername=("", 0), sockname=("", 0), timestamp_start=0.0), Server(address=None))
    fields = http.Headers(head(content))
    flow.request = http.Request(
        "", 0, b"POST", b"http", b"", b"/v1/chat/completions", b"HTTP/1.1", fields, None, None, 0.0, 0.0
    )
    flow.metadata[EXCHANGE] = exchange
    await _hook(harness, "requestheaders", flow, taken_ns)
    flow.request.data.content, exchange.bytes_in = content, len(content)
    await _hook(harness, "request", flow, taken_ns)
    fields = http.Headers(((b"Content-Type", b"application/json"),))
    flow.response = http.Response(b"HTTP/1.1", 200, b"", fields, None, None, 0.0, 0.0)
    await _hook(harness, "responseheaders", flow, taken_ns)
    flow.response.data.content = whole_answer().partition(b"\r\n\r\n")[2]
    await _hook(harness, "response", flow, taken_ns)
    if exchange.verdict is None or not exchange.terminal_recorded:
        raise SystemExit(f"the request was refused: {exchange.refusal}")


async def _hook(harness: Harness, name: str, flow: http.HTTPFlow, taken_ns: "Counter[str]") -> None:
    for addon in harness.addons:
        method = getattr(addon, name, None)
        if method is None:
            continue
        began_ns = time.perf_counter_ns()
        result = method(flow)
        if inspect.isawaitable(result):
            await result
        taken_ns[f"{name}: {type(addon).__name__}"] += time.perf_counter_ns() - began_ns


async def _least_us(call) -> float:
    least_ns = 10**12
    for _ in range(_BATCHES):
        began_ns = time.perf_counter_ns()
        for _ in range(_REQUESTS):
            result = call()
            if inspect.isawaitable(result):
                await result
        least_ns = min(least_ns, time.perf_counter_ns() - began_ns)
    return least_ns / _REQUESTS / 1e3


async def spool_stages(folder: Path, record: DecisionRecord) -> dict[str, float]:
    """Return what a record takes on its way through the spool. Both threads' and the kernel's time is in it."""
    stages = {}
    written = unnumbered(record)
    for writers in (1, _WRITERS):
        directory = folder / f"spool-{writers}"
        with open_spool(directory, source_id="bench/w0") as spool:

            async def write(count: int, spool: Spool = spool) -> None:
                for _ in range(count):
                    await spool.write(written)

            began_s = time.process_time()
            await asyncio.gather(*(write(_RECORDS // writers) for _ in range(writers)))
            taken_s = time.process_time() - began_s
        stages[f"spool: written by {writers} at once"] = taken_s / (_RECORDS // writers * writers) * 1e6
    reader = SpoolReader(folder / f"spool-{_WRITERS}")
    began_s = time.process_time()
    batch = reader.read_batch(max_lines=1000, max_bytes=4 * 1024 * 1024)
    taken_s = time.process_time() - began_s
    stages["spool: read by the shipper"] = taken_s / len(batch.lines) * 1e6
    return stages


async def measure() -> dict[str, float]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        addons, record = await addon_stages(Path(folder))
        identity = {"an id, alone": await _least_us(lambda: new_request_id(1_795_000_000_000))}
        return addons | identity | await spool_stages(Path(folder), record)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
