# SPDX-License-Identifier: Apache-2.0
"""The node: listeners, workers, feeds, shipper, status and health, from start to drained stop.

It examines no traffic and imports no mitmproxy. Whatever of its tasks ends unexpectedly ends the node, and the workers
with it: a node that cannot learn of a revocation must not look alive. Its supervisor starts it again within seconds,
with the last known good policy.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog

from policies.bundle.environment import EnvironmentDocument
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.screening import as_redactions
from proxy_addons.bundle_keys import check_bundle_keys
from proxy_addons.clients.control_plane import ControlPlane
from proxy_addons.clients.issuers import Issuers
from proxy_addons.durable import private_directory
from proxy_addons.node.bundle_activation import BundleActivation
from proxy_addons.node.bundle_store import BundleStore
from proxy_addons.node.candidate_keeping import CandidateKeeper
from proxy_addons.node.credentials import CredentialsActivation
from proxy_addons.node.environment import EnvironmentFollower
from proxy_addons.node.fleet import Fleet
from proxy_addons.node.follow import Acceptor, Contact, Fetch, follow
from proxy_addons.node.freshness import FEEDS, Freshness
from proxy_addons.node.guard_socket import answers, guard_address
from proxy_addons.node.health import serve_health
from proxy_addons.node.issuer_keys import IssuerKeeper
from proxy_addons.node.known_upstreams import check_upstreams
from proxy_addons.node.listeners import bind_listeners
from proxy_addons.node.lost_workers import LostWorkers
from proxy_addons.node.messages import UseIssuerKeys
from proxy_addons.node.metrics import FeedContact, Readings, exposition
from proxy_addons.node.node_files import bytes_below, check_certificate, lock
from proxy_addons.node.patterns import PatternKeeper
from proxy_addons.node.posture_checks import posture_of
from proxy_addons.node.revocations import RevocationsActivation
from proxy_addons.node.shipper import Shipper
from proxy_addons.node.status import NodeStatus, keep_reporting
from proxy_addons.node.verifier import Verifier
from proxy_addons.node.watched_issuers import WatchedIssuers
from proxy_addons.node.worker_process import DRAIN_S, PROGRAM
from proxy_addons.settings import GuardEngineName, NodeSettings

if TYPE_CHECKING:
    from proxy_addons.node.otlp import NodeMetricsOut

_log: Final = structlog.get_logger()

# What is left then stays on disk and goes out at the next start.
_SHIP_REST_S: Final = 10.0
# How long connections wait for the policy that was kept from before. Then a refusal is better than more waiting.
_RESUME_S: Final = 5.0
# A control plane of the release before has no environment document, and is not asked for it all the time.
_NO_DOCUMENT_S: Final = 5.0


class Node:
    """One node. `run` returns after SIGTERM or SIGINT, once workers are drained and records shipped."""

    def __init__(
        self, settings: NodeSettings, control_plane: ControlPlane, *, program: Sequence[str] = PROGRAM
    ) -> None:
        self._settings = settings
        self._control_plane = control_plane
        check_bundle_keys(settings)
        check_certificate(settings)
        private_directory(settings.node_dir)
        self._lock = lock(settings)
        listeners = bind_listeners(settings.proxy_host, settings.proxy_port, settings.workers)
        self._fleet = Fleet(listeners, on_missing_key=self._misses_key, program=program)
        self._issuer_keys = IssuerKeeper(
            settings.issuer_keys_file,
            fetch=Issuers(settings.issuer_ca_file).fetch,
            hand_over=lambda path, generation: self._fleet.verify_tokens(
                UseIssuerKeys(generation=generation, path=path)
            ),
            clock=lambda: datetime.now(UTC),
        )
        self._patterns = PatternKeeper(settings.node_dir)
        self._issuers = WatchedIssuers(self._issuer_keys.watch)
        verifier = Verifier(settings)
        store = BundleStore(settings.node_dir)
        self._bundles = BundleActivation(
            store,
            self._fleet,
            verify=verifier.bundle,
            guard=self._guard,
            patterns=self._compiled,
            in_force=self._is_in_force,
            also_kept=lambda: self._candidates.serials,
        )
        self._candidates = CandidateKeeper(
            store,
            self._fleet,
            fetch=control_plane.candidate,
            verify=verifier.bundle,
            guard=self._guard,
            patterns=self._compiled,
            in_force=lambda: self._bundles.activated_serial,
            tried=self._issuers.tried,
        )
        self._environment = EnvironmentFollower(
            settings.environment_file, verify=verifier.environment_document, use=self._run_as
        )
        self._credentials = CredentialsActivation(settings.credentials_file, self._fleet, verify=verifier.credentials)
        self._revocations = RevocationsActivation(
            settings.revocations_file,
            self._fleet,
            credentials_path=settings.credentials_file,
            verify=verifier.revocations,
        )
        self._freshness = Freshness(
            settings.node_dir / "confirmed", budget_s=settings.max_staleness_s, tell=self._fleet.trust
        )
        self._posture = posture_of(settings, self._fleet, self._bundles, self._environment)
        self._shipper = Shipper(settings.node_dir / "spool", control_plane)
        self._lost_workers = LostWorkers.of(settings)
        self._contacts = {name: Contact() for name in (*FEEDS, "environment")}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        metrics_out = self._metrics_out()
        health = await serve_health(
            self._settings.health_host,
            self._settings.health_port,
            status=self.status,
            metrics=self.metrics,
            issuers=self._issuer_keys.to_json,
            spool_dir=self._settings.node_dir / "spool",
            spool_max_bytes=self._settings.spool_max_bytes,
        )
        try:
            async with asyncio.TaskGroup() as group:
                workers = group.create_task(self._fleet.run())
                background = [
                    group.create_task(self._keep_current()),
                    group.create_task(self._bundles.retire()),
                    group.create_task(self._candidates.run()),
                    group.create_task(self._freshness.watch(self._fleet.changed.notify)),
                    group.create_task(self._shipper.run()),
                    group.create_task(self._lost_workers.run()),
                    group.create_task(self._issuer_keys.run()),
                    group.create_task(keep_reporting(self._control_plane, self.status, self._fleet.changed)),
                    group.create_task(self._posture.run()),
                    group.create_task(self._restart_on_hangup()),
                ]
                if metrics_out is not None:
                    background.append(group.create_task(metrics_out.run()))
                await self._stop.wait()
                _log.info("node_draining")
                self._fleet.stop(DRAIN_S)
                await workers
                for task in background:
                    task.cancel()
            await self._lost_workers.look()
            await self._shipper.finish(_SHIP_REST_S)
            if metrics_out is not None:
                await metrics_out.close()
        finally:
            await self._patterns.stop()
            await health.cleanup()
            os.close(self._lock)
        _log.info("node_stopped")

    def status(self) -> NodeStatus:
        return NodeStatus(
            node_id=self._settings.node_id,
            environment=self._settings.environment,
            version=version("gatehouse"),
            workers=self._fleet.states,
            spool=self._shipper.depth,
            guard_engine=self._settings.guard_engine.in_records,
            rejected_bundle=self._bundles.rejected,
            sources=self._fleet.claims,
            posture=self._posture.results,
            stale=self._freshness.stale,
            refusing=self._freshness.denies,
            environment_number=self._environment.number,
            environment_rejected=self._environment.rejected,
            candidate_wanted=self._candidates.wanted_serial,
            candidate_problem=self._candidates.problem,
        )

    def _run_as(self, document: EnvironmentDocument) -> None:
        self._freshness.follow(document.staleness)
        self._candidates.follow(document.candidate)
        self._fleet.changed.notify()

    def _is_in_force(self, snapshot: PolicySnapshot) -> None:
        self._candidates.settle()
        self._issuers.in_force(snapshot)

    def _misses_key(self, issuer: str) -> None:
        self._issuer_keys.unknown_key(issuer)

    async def metrics(self) -> bytes:
        """Return the page `/metrics`."""
        return exposition(await self._readings())

    async def _readings(self) -> Readings:
        sums, answered = await self._fleet.measure()
        now = asyncio.get_running_loop().time()
        guard = self._fleet.bundle.guard_socket if self._fleet.bundle is not None else ""
        return Readings(
            status=self.status(),
            sums=sums,
            answered=answered,
            starts=self._fleet.starts,
            hangs=self._fleet.hangs,
            feeds={
                name: FeedContact(up=made.up, age_s=None if made.last_at is None else now - made.last_at)
                for name, made in self._contacts.items()
            },
            spool_bytes=await asyncio.to_thread(bytes_below, self._settings.node_dir / "spool"),
            requests_lost=self._lost_workers.recorded,
            opa_up=await answers(guard) if guard else None,
        )

    def _metrics_out(self) -> "NodeMetricsOut | None":
        """Return what sends the metrics to a collector. Without one the SDK is not even imported."""
        settings = self._settings
        if settings.otlp_endpoint is None:
            return None
        from proxy_addons.clients.telemetry import MetricsOut, identifiers  # noqa: PLC0415  # see above
        from proxy_addons.node.otlp import NodeMetricsOut  # noqa: PLC0415  # see above

        out = MetricsOut(settings.otlp_endpoint, **identifiers(settings, settings.node_id))
        return NodeMetricsOut(out, self._readings, every_s=settings.otlp_interval_s)

    async def _guard(self, serial: int, manifest_revision: str) -> str:
        if self._settings.guard_engine is GuardEngineName.EMBEDDED:
            return ""
        return await guard_address(self._settings.node_dir, serial, manifest_revision=manifest_revision)

    async def _compiled(self, snapshot: PolicySnapshot) -> str:
        check_upstreams(snapshot, self._settings.upstreams)
        await self._patterns.prepare(snapshot.redactions)
        await self._patterns.prepare(as_redactions(snapshot.screening))
        return str(self._patterns.folder)

    async def _keep_current(self) -> None:
        """Put to work what was kept from before, let the workers serve, then follow the feeds."""
        try:
            await self._issuer_keys.resume()
            async with asyncio.timeout(_RESUME_S):
                await self._revocations.resume()
                await asyncio.gather(self._resume_credentials(), self._bundles.resume())
        except TimeoutError:
            _log.warning("resume_overdue")  # the feeds try again
        await self._environment.resume()
        self._freshness.resume()
        self._fleet.open()
        async with asyncio.TaskGroup() as group:
            revocations = self._revocations.following(self._control_plane.revocations)
            group.create_task(self._follow("revocations", revocations, self._revocations))
            group.create_task(self._follow("bundles", self._control_plane.bundle, self._bundles))
            environment = follow(
                "environment",
                self._control_plane.environment,
                self._environment,
                contact=self._contacts["environment"],
                nothing_yet_s=_NO_DOCUMENT_S,
            )
            group.create_task(environment)
            # Nobody is let in before it is known who is not.
            await self._revocations.known.wait()
            group.create_task(self._follow("credentials", self._control_plane.credentials, self._credentials))

    async def _resume_credentials(self) -> None:
        if self._revocations.known.is_set():
            await self._credentials.resume()

    async def _follow(self, name: str, fetch: Fetch, acceptor: Acceptor) -> None:
        confirmed = partial(self._freshness.confirm, name)
        await follow(name, fetch, acceptor, contact=self._contacts[name], confirmed=confirmed)

    async def _restart_on_hangup(self) -> None:
        hangup = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
        while True:
            await hangup.wait()
            hangup.clear()
            _log.info("workers_restarting")
            await self._fleet.restart(DRAIN_S)
