# SPDX-License-Identifier: Apache-2.0
"""A release over recorded decisions: `python -O -m benchmarks.replay [DATABASE_URL] [--records N] [--profile]`.

Ships N records (100,000) through the real ingestion, twice: of traffic that repeats itself, as recorded traffic does
(200 subjects, five models, three sizes), and with an input of its own in each. Then replays a release with two guards
over each, by OPA and by the embedded engine, as the job of the control plane does, and prints records a second and the
processor time of this process; OPA's comes on top. Without a DATABASE_URL it is a SQLite file that goes with it.
"""

import argparse
import cProfile
import hashlib
import logging
import pstats
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from benchmarks.shipped_lines import MODELS, Shipments
from controlplane.garbage import look_for_circles_less
from controlplane.services.model import Principal, Role
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from tests.control_planes import PlaneUnderTest, make_plane
from tests.records import NOON

START: Final = datetime(2026, 11, 19, tzinfo=UTC)
OPA: Final = str(Path(__file__).resolve().parents[1] / ".tools" / "bin" / "opa")
SUBJECTS: Final = 200
SIZES: Final = (256, 512, 1024)
AGENT: Final = Principal(tenant="default", id="agent", name="agent", role=Role.AGENT, created_at=NOON)
ACCESS: Final = """\
kind: access
id: everybody
version: "1"
spec:
  grants: [{id: all, effect: allow, subjects: ["*"], models: ["*"], operations: [chat.completions]}]
"""
ROUTES: Final = """\
kind: routes
id: routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
"""
CAPS: Final = """\
kind: guard
id: caps
version: "1"
spec:
  reasons: {too-many: "Too many tokens."}
  data: {most: 1000}
  module: |
    package gatehouse.guard.caps
    deny contains "too-many" if input.request.max_tokens > data.gatehouse.guard_data.caps.most
tests:
  - name: too many
    request: {subject: user:u1, operation: chat.completions, model: parrot, facts: {max_tokens: 1001}}
    expect: {effect: deny, reasons: [too-many]}
"""
TOOLS: Final = """\
kind: guard
id: tools
version: "1"
spec:
  reasons: {no-shell: "No shell."}
  module: |
    package gatehouse.guard.tools
    deny contains "no-shell" if "shell" in input.request.tools
"""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", nargs="?")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--engine", choices=["opa", "embedded"], action="append")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    look_for_circles_less()
    for traffic in ("repeats itself", "all distinct"):
        with tempfile.TemporaryDirectory(prefix="gatehouse-replay-") as folder:
            url = options.database or f"sqlite:///{Path(folder) / 'gatehouse.db'}"
            under_test = make_plane(url)
            ship(under_test, options.records, is_distinct=traffic == "all distinct")
            for engine in options.engine or ("opa", "embedded"):
                measure(make_plane(url, rego=engines(engine)), f"{traffic}, {engine}", profile=options.profile)
    print(f"resident at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def engines(name: str) -> RegoEngines:
    return RegoEngines(nodes=GuardEngineName(name), opa_binary=OPA)


def ship(under_test: PlaneUnderTest, records: int, *, is_distinct: bool) -> None:
    """Have `records` taken in."""
    under_test.clock.now = START
    number = 0
    for batch in Shipments(start=START, step=timedelta(seconds=0.5)):
        lines = batch.lines.splitlines()[: records - number]
        asked = b"".join(asked_again(line, number + place, is_distinct=is_distinct) for place, line in enumerate(lines))
        stored = under_test.plane.ingestion.append(AGENT, asked).stored
        if stored != len(lines):
            raise SystemExit(f"{stored} of {len(lines)} were stored")
        number += stored
        if number == records:
            return


def asked_again(line: bytes, number: int, *, is_distinct: bool) -> bytes:
    """Return a record with the input that a proxy would have kept of it."""
    parts: dict[str, Any] = orjson.loads(line)
    envelope, payload = orjson.loads(parts["envelope"]), orjson.loads(parts["payload"])
    payload["subject"]["id"] = f"u{number * 7919 % SUBJECTS}"
    payload["input"] = {
        "action": "chat.completions",
        "resource": {"type": "model", "id": MODELS[number % len(MODELS)]},
        "request": facts(number if is_distinct else SIZES[number % len(SIZES)], number),
        "time": envelope["time"].replace("Z", "+00:00"),
    }
    content = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    envelope["payload_digest"] = "sha256:" + hashlib.sha256(content).hexdigest()
    told = {"envelope": orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS).decode(), "payload": content.decode()}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def facts(max_tokens: int, number: int) -> dict[str, Any]:
    return {
        "stream": False,
        "max_tokens": max_tokens,
        "n": 1,
        "message_count": 3,
        "roles": ["system", "user", "assistant"],
        "tools": ["find", "shell"] if number % 50 == 0 else [],
        "tool_choice": None,
        "text_chars": number % 4000,
        "body_bytes": 200 + number % 4000,
    }


def measure(under_test: PlaneUnderTest, name: str, *, profile: bool) -> None:
    for source in (ACCESS, ROUTES, CAPS, TOOLS):
        added = under_test.call("POST", "/v1/policies", "author", json={"source": source})
        if added.status_code not in {201, 409}:  # there already, where the other engine was first
            raise SystemExit(added.text)
    made = under_test.call("POST", "/v1/policy-sets/default/releases", "author", json={})
    begun = under_test.call("POST", "/v1/replays", "author", json={"release": made.json["id"]})
    profiler = cProfile.Profile(time.process_time)
    cpu, began = time.process_time(), time.perf_counter()
    if profile:
        profiler.enable()
    under_test.work()
    profiler.disable()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    ended = under_test.call("GET", begun.headers["Location"], "author").json
    if ended["state"] != "succeeded":
        raise SystemExit(f"{ended['state']}: {ended['error']}")
    report = under_test.call("GET", ended["result"]["href"], "author").json
    count, evaluation = report["decisions"], report["evaluation"]
    print(
        f"{name:<26} {count / wall_s:8,.0f} records/s, {cpu_s / count * 1e6:5.1f} µs of CPU a record; "
        f"{evaluation['distinct']:,} distinct in {evaluation['spent_ms']:,} ms; "
        f"compared {report['compared']:,}, newly refused {report['changes']['newly-refused']['count']:,}",
        flush=True,
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main(sys.argv[1:])
