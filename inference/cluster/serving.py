# SPDX-License-Identifier: Apache-2.0
"""The application on a cluster, with the face that it has on one machine: an ASGI application, `start` and `stop`."""

import importlib.util
import logging
import os
import threading
from dataclasses import replace
from typing import Any, Final

import structlog
from starlette.types import ASGIApp

from inference.api.operations import operations_application
from inference.cluster.front import Front
from inference.cluster.local import LocalFolder, local_environment, quiet_environment
from inference.cluster.pages import merged
from inference.cluster.settings import ClusterSettings, require_protected_cluster
from inference.settings import ModelRefused, ServingSettings, SettingsWrong

log = structlog.get_logger()

APPLICATION: Final = "gatehouse-inference"
# A replica is asked this often whether its engines run; three failures in a row end it.
HEALTH_PERIOD_S: Final = 5.0
HEALTH_TIMEOUT_S: Final = 10.0
# How long a replica that is to end may finish its answers.
DRAIN_S: Final = 30.0
# Ray keeps messages of more than 100 KB in shared memory; bodies have 4 MB at most.
OBJECT_STORE_BYTES: Final = 256 * 1024 * 1024
# Of a model that cannot be loaded no fourth attempt says more.
STARTS: Final = 3
# How long the entrance goes by what it knew of the replicas.
STATUS_PERIOD_S: Final = 1.0
# A replica that says nothing of itself for so long is left out of the metrics; a scraper waits ten seconds.
PAGES_S: Final = 3.0


def require_ray() -> None:
    """Refuses where Ray is not installed, and says how to install it."""
    if importlib.util.find_spec("ray") is None:
        raise SettingsWrong("--ray needs Ray Serve, which is a group of its own: uv sync --inexact --group ray")


class ClusterServing:
    """Replicas on a cluster and the entrance to them."""

    def __init__(self, settings: ServingSettings, cluster: ClusterSettings) -> None:
        require_ray()
        # A replica need not stand where this process stands.
        models = tuple(replace(model, directory=model.directory.absolute()) for model in settings.models)
        self._settings = replace(settings, models=models)
        self._cluster = cluster
        self._folder: LocalFolder | None = None
        os.environ.update(quiet_environment())
        if cluster.address is None:
            self._folder = LocalFolder()
            os.environ.update(local_environment(token=self._folder.token, certificates=self._folder.certificates))
        else:
            require_protected_cluster()
        self._running = 0  # replicas, as the controller said last
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._ask_for_status, name="cluster-status", daemon=True)
        try:
            handle = self._deploy()
        except BaseException:
            self.close()
            raise
        self.application: ASGIApp = Front(handle.ask, is_ready=lambda: self.is_ready)
        self.operations = operations_application(
            is_ready=lambda: self.is_ready, page=lambda: merged(handle.pages(timeout_s=PAGES_S))
        )

    def _deploy(self) -> Any:
        # Here and not above: Ray reads its environment when it is imported.
        import ray  # noqa: PLC0415
        from ray import serve  # noqa: PLC0415
        from ray.serve.config import ProxyLocation  # noqa: PLC0415

        from inference.cluster.handle import ReplicaHandle  # noqa: PLC0415

        try:
            ray.init(**self._ray_options())
        except (OSError, RuntimeError) as exc:
            where = f"--ray-address {self._cluster.address}" if self._cluster.address else "--ray"
            raise SettingsWrong(f"{where}: Ray cannot be reached ({type(exc).__name__}); its log says why") from exc
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=_quiet_logs())
        gpus = self._cluster.replica_gpus
        if gpus is None:
            resources: Any = ray.cluster_resources
            gpus = 1.0 if resources().get("GPU", 0) else 0.0
        handle = self._running_handle() or self._run(gpus)
        log.info("cluster_ready", address=self._cluster.address, replica_gpus=gpus, own=self._folder is not None)
        return ReplicaHandle(handle)

    def _ray_options(self) -> dict[str, Any]:
        shared: dict[str, Any] = {"log_to_driver": True, "logging_level": "warning", "namespace": APPLICATION}
        if self._folder is None:
            return {"address": self._cluster.address, **shared}
        return {
            "address": "local",
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(self._folder.path / "ray"),
            "object_store_memory": OBJECT_STORE_BYTES,
            **shared,
        }

    def _running_handle(self) -> Any:
        """The handle of replicas that run already with these very settings, started by another entrance."""
        from ray import serve  # noqa: PLC0415

        running = serve.status().applications.get(APPLICATION)
        if running is None or running.status != "RUNNING":
            return None
        handle = serve.get_app_handle(APPLICATION)
        # Other settings replace what runs, a replica at a time.
        return handle if handle.settings.remote().result(timeout_s=DRAIN_S) == self._settings else None

    def _run(self, gpus: float) -> Any:
        from ray import serve  # noqa: PLC0415
        from ray.serve.config import AutoscalingConfig  # noqa: PLC0415

        from inference.cluster.replica import Replica  # noqa: PLC0415

        cluster = self._cluster
        deployment: Any = serve.deployment(
            Replica,
            autoscaling_config=AutoscalingConfig(
                min_replicas=cluster.min_replicas,
                initial_replicas=cluster.min_replicas,
                max_replicas=cluster.max_replicas,
                target_ongoing_requests=cluster.target_ongoing_requests,
                upscale_delay_s=cluster.upscale_delay_s,
                downscale_delay_s=cluster.downscale_delay_s,
                look_back_period_s=max(cluster.upscale_delay_s, 2 * STATUS_PERIOD_S),
            ),
            max_ongoing_requests=cluster.max_ongoing_requests,
            # As on one machine: beyond what may wait, a request is refused at once.
            max_queued_requests=sum(model.queue_size for model in self._settings.models),
            health_check_period_s=HEALTH_PERIOD_S,
            health_check_timeout_s=HEALTH_TIMEOUT_S,
            graceful_shutdown_timeout_s=DRAIN_S,
            graceful_shutdown_wait_loop_s=0.1,
            max_constructor_retry_count=STARTS,
            ray_actor_options={"num_cpus": cluster.replica_cpus, "num_gpus": gpus},
            logging_config=_quiet_logs(),
        )
        try:
            return serve.run(deployment.bind(self._settings), name=APPLICATION, route_prefix=None)
        except RuntimeError as exc:
            raise ModelRefused(f"no replica could be started: {_last_word()}") from exc

    def start(self) -> None:
        self._watch.start()

    @property
    def is_ready(self) -> bool:
        return self._running > 0

    def stop(self, *, timeout_s: float) -> None:
        """No request comes any more. Replicas end with `close`, when the answers on their way are delivered."""

    def close(self) -> None:
        """Ends what this process started: its cluster whole; nothing of a cluster that others use too."""
        import ray  # noqa: PLC0415

        self._closing.set()
        if ray.is_initialized():
            ray.shutdown()
        if self._folder is not None:
            self._folder.remove()

    def _ask_for_status(self) -> None:
        from ray import serve  # noqa: PLC0415

        while not self._closing.wait(STATUS_PERIOD_S if self._running else 0.1):
            try:
                application = serve.status().applications.get(APPLICATION)
            except Exception as exc:  # noqa: BLE001 - Ray raises many; each means that nothing is known
                log.warning("cluster_status_unknown", error=type(exc).__name__)
                application = None
            deployments = application.deployments.values() if application else ()
            # The state is a string by its class, which Ray does not export.
            states = [item for each in deployments for item in each.replica_states.items()]
            running = sum(count for state, count in states if state == "RUNNING")
            if running != self._running:
                log.info("replicas_changed", running=running)
            self._running = running


def _quiet_logs() -> Any:
    """Ray Serve logs tracebacks, whose last line may quote what a client sent. What matters is logged by us."""
    from ray.serve.schema import LoggingConfig  # noqa: PLC0415

    return LoggingConfig(log_level="CRITICAL", enable_access_log=False)


def _last_word() -> str:
    """Why a replica did not start: the last line of what Ray Serve keeps of it, without the exception's class."""
    from ray import serve  # noqa: PLC0415

    application = serve.status().applications.get(APPLICATION)
    for deployment in application.deployments.values() if application else ():
        if lines := deployment.message.strip().splitlines():
            return lines[-1].rpartition("ModelRefused: ")[2]
    return "Ray Serve does not say why"
