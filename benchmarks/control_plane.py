# SPDX-License-Identifier: Apache-2.0
"""A control plane for the benchmark, in a process of its own: publishes one signed bundle, and counts records.

It does not read the records: what a real one does with them is `benchmarks/ingestion.py`.
"""

import asyncio
import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from policies.bundle.pack import pack
from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    LimitPolicy,
    PolicySnapshot,
    Rate,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
)
from tests.fake_control_plane import FakeControlPlane
from tests.signing import SNAPSHOT, Signer

_ENFORCE = {"version": "1", "mode": Mode.ENFORCE}

# Every kind of policy there is. The rate is counted for every request and refuses none.
EVERYTHING = replace(
    SNAPSHOT,
    # What the compiler finds in the guard's module. Every request of a benchmark has the same value there.
    guards=tuple(replace(guard, reads=("request.max_tokens",)) for guard in SNAPSHOT.guards),
    limits=(
        LimitPolicy(
            id="limits", subjects=("*",), max_body_bytes=65_536, rate=Rate(requests=10**9, per_s=1), **_ENFORCE
        ),
    ),
    redactions=(
        RedactionPolicy(
            id="answers",
            operations=(),
            models=(),
            rules=(
                RedactionRule(
                    id="contacts",
                    detectors=("email", "payment-card", "aws-access-key"),
                    action=RedactionAction.REPLACE,
                ),
                RedactionRule(id="keys", detectors=("private-key-header",), action=RedactionAction.BLOCK),
            ),
            **_ENFORCE,
        ),
    ),
)
NO_GUARD = replace(EVERYTHING, guards=())
# The guard looks at the clock, so that no answer of it may be used for another request.
ASKED_EACH_TIME = replace(
    EVERYTHING,
    guards=tuple(
        replace(
            guard,
            reads=None,
            module=f'{guard.module}\ndeny contains "max-tokens-over-cap" if input.context.time < "2000"\n',
        )
        for guard in EVERYTHING.guards
    ),
)


class CountingControlPlane(FakeControlPlane):
    def __init__(self, count) -> None:
        super().__init__()
        self._count = count

    async def _take_records(self, request: web.Request) -> web.Response:
        self._check(request)
        body = await request.read()
        lines = body.count(b"\n")
        self._count.value += lines - body.count(b',"payload":""}\n')  # without what sources say of themselves
        return web.json_response({"stored": lines, "duplicates": 0, "quarantined": 0})


class ControlPlaneProcess:
    """`url` is where it answers; `records` is how many it has taken."""

    def __init__(self, folder: Path, snapshot: PolicySnapshot) -> None:
        started = multiprocessing.get_context("spawn")
        self._count = started.Value("q", 0)
        told, tells = started.Pipe(duplex=False)
        self._process = started.Process(target=_serve, args=(folder, snapshot, self._count, tells), daemon=True)
        self._process.start()
        if not told.poll(30):
            raise SystemExit("the benchmark's control plane did not start")
        self.url: str = told.recv()

    @property
    def records(self) -> int:
        return self._count.value

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(folder: Path, snapshot: PolicySnapshot, count, tells: Connection) -> None:
    async def serve() -> None:
        signer = Signer.make(folder)
        control_plane = CountingControlPlane(count)
        await control_plane.start()
        bundle = pack(snapshot, serial=1, signer=signer.key).content
        await control_plane.publish(bundle=bundle, credentials=signer.credentials(1))
        tells.send(control_plane.url)
        await asyncio.Event().wait()

    asyncio.run(serve())
