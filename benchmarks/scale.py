# SPDX-License-Identifier: Apache-2.0
"""What a large policy costs: 2,000 documents, 100,000 grants, 10,000 subjects, beside a small one, in one run.

    python -O -m benchmarks.scale [--rounds N]

Stages of a change, in seconds of processor time and by the clock; the longest that a worker's event loop stood still
while it loaded the policy beside its requests; and what one decision costs by either policy, in turns, for subjects and
models chosen with the same uneven chance. A worker asks OPA for its guards, which costs it nothing while it loads; what
is decided here asks the embedded engine, whose answers are reused as OPA's are.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from policies.engines.rego_library import LOADED_IN_ORDER  # noqa: F401  # first: others bring another allocator

# isort: split
import psutil
import uvloop

from benchmarks.large_policy import PEOPLE, documents, subject
from benchmarks.proxies import opa_binary
from policies.bundle.members import guard_data, rego_modules
from policies.bundle.pack import pack
from policies.bundle.verify import VerifiedBundle, verify
from policies.compiler.compile import compile_release
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.reused_guard import reusing
from policies.evaluation.pipeline import decide
from proxy_addons.core.active import ActivePolicy
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.patterns import PatternKeeper
from proxy_addons.policy_loading import load_policy
from proxy_addons.prepared_policy import prepare
from proxy_addons.worker_main import set_start_up_aside
from tests.signing import KEY_ID, Signer

_SIZES = ("small", "large")
_ASKED = 4_000
_TICK_S = 0.001
_GUARD_DEADLINE_S = 1.0


@contextmanager
def stage(name: str) -> Iterator[None]:
    began, cpu = time.monotonic(), time.process_time()
    yield
    print(f"{name:<44} {time.process_time() - cpu:>8.2f} s of CPU {time.monotonic() - began:>8.2f} s")


def compiled(folder: Path, signer: Signer, *, small: bool) -> VerifiedBundle:
    """Return the bundle of the large policy, verified; or of one of each kind with all guards."""
    files = documents()
    if small:
        files = {
            name: files[name]
            for name in files
            if name.startswith(("access-0000", "limit-0000", "redaction-0000", "guard", "routes"))
        }
        print(f"\n{len(files)} documents")
    else:
        print(f"{len(files)} documents, {sum(map(len, files.values())) / 1e6:.1f} MB")
    with stage("load"):
        read = load_documents(files)
    opa = opa_binary()
    with stage("compile" if opa is None else "compile, guards checked by OPA"):
        snapshot = compile_release(
            read,
            tenant="default",
            environment="production",
            opa_binary=None if opa is None else str(opa),
            engines={"embedded"},
        )
    with stage("pack and sign"):
        bundle = pack(snapshot, serial=1, signer=signer.key)
    with stage("node: verify"):
        verified = verify(
            bundle.content,
            keys={KEY_ID: signer.public_file.read_bytes()},
            tenant="default",
            environment="production",
            newer_than=0,
        )
    (folder / "bundle.tar.gz").write_bytes(bundle.content)
    with stage("node: prepare for the workers"):
        prepare(folder / "bundle.tar.gz", verified)
    return verified


async def swapped(folder: Path) -> ActivePolicy:
    """Return the policy, loaded as a worker loads it, and say how long its event loop stood still at most."""
    (folder / "pseudonym").write_text("ab" * 32)
    order = ActivateBundle(
        serial=1,
        path=str(folder / "bundle.tar.gz"),
        guard_socket=str(folder / "opa.sock"),
        patterns=str(folder / "patterns"),
    )
    settings: Any = SimpleNamespace(tenant="default", environment="production", pseudonym_key_file=folder / "pseudonym")
    loading = asyncio.create_task(asyncio.to_thread(load_policy, order, settings))
    stood_still, last = [], time.monotonic()
    began = last
    while not loading.done():
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        stood_still.append(now - last - _TICK_S)
        last = now
    took = time.monotonic() - began
    late = sorted(stood_still)
    print(
        f"{'worker: load':<44} {took * 1000:>8.0f} ms, the loop stood still for "
        f"{late[int(len(late) * 0.99)] * 1000:.1f} ms at p99, {late[-1] * 1000:.1f} ms at most"
    )
    policy = await loading
    await policy.guard.close()
    snapshot = policy.snapshot
    embedded = EmbeddedGuard(
        snapshot, modules=rego_modules(snapshot), data=guard_data(snapshot), deadline_s=_GUARD_DEADLINE_S
    )
    return replace(policy, guard=reusing(embedded, snapshot))


def questions() -> list[EvaluationRequest]:
    """Return what is asked: a few people ask most, nearly all of it for one model."""
    pick = random.Random(7)
    return [
        EvaluationRequest(
            request_id="r",
            tenant="default",
            environment="production",
            subject=Subject(type="user", id=subject(int(PEOPLE * pick.random() ** 4))),
            action="chat.completions",
            resource=Resource(type="model", id="parrot" if pick.random() < 0.9 else f"model-{pick.randrange(20):03}"),
            facts=RequestFacts(max_tokens=64),
            at=datetime(2026, 11, 20, tzinfo=UTC),
        )
        for _ in range(_ASKED)
    ]


async def decided(policy: ActivePolicy, asked: list[EvaluationRequest]) -> float:
    """Return the CPU time of one decision, in µs."""
    began = time.process_time()
    for request in asked:
        await decide(
            request, snapshot=policy.snapshot, access=policy.access, guard=policy.guard, take_token=_always_there
        )
    return (time.process_time() - began) / len(asked) * 1e6


async def _always_there(_token: object) -> float:
    return 0.0


async def published(folder: Path) -> None:
    """Bring both policies to where a worker finds them."""
    for size in _SIZES:
        verified = compiled(folder / size, Signer.make(folder / size), small=size == "small")
        patterns = PatternKeeper(folder / size)
        with stage("node: compile patterns"):
            await patterns.prepare(verified.snapshot.redactions)
        await patterns.stop()


async def measure(folder: Path, rounds: int) -> None:
    """Be a worker: load both policies, and decide by each in turns."""
    policies: dict[str, ActivePolicy] = {}
    set_start_up_aside()
    for size in _SIZES:
        before = psutil.Process().memory_info().rss
        policies[size] = await swapped(folder / size)
        more = (psutil.Process().memory_info().rss - before) / 2**20
        print(f"{'worker: memory for the ' + size + ' policy':<44} {more:>8.1f} MiB")
    asked = questions()
    cost: dict[str, list[float]] = {size: [] for size in policies}
    for number in range(rounds + 1):
        for size, policy in policies.items():
            taken = await decided(policy, asked)
            if number:  # the first round fills what is remembered
                cost[size].append(taken)
            else:
                print(f"{'decision, the first ' + str(_ASKED) + ', ' + size:<44} {taken:>8.1f} µs of CPU")
    small, large = (statistics.median(cost[size]) for size in _SIZES)
    print(f"{'decision, small':<44} {small:>8.1f} µs of CPU")
    print(f"{'decision, large':<44} {large:>8.1f} µs of CPU, {large / small:.2f} of the small policy's")
    for policy in policies.values():
        await policy.guard.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        uvloop.run(measure(given.worker, given.rounds))
        return
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        for size in _SIZES:
            Path(name, size).mkdir()
        asyncio.run(published(Path(name)))
        sys.stdout.flush()
        # A process of its own, as a worker is: it has not seen the documents.
        worker = [sys.executable, "-O", "-m", "benchmarks.scale", "--worker", name, "--rounds", str(given.rounds)]
        subprocess.run(worker, check=True)


if __name__ == "__main__":
    main()
