# SPDX-License-Identifier: Apache-2.0
"""A replica: the whole server but its sockets, in an actor that Ray Serve starts, asks for its health, and stops."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.types import Message

from inference.cluster.exchange import Asked, answer
from inference.logs import configure_logs
from inference.offline import stay_offline
from inference.settings import ServingSettings


class EngineNotReady(Exception):
    """An engine has ended or fails again and again. Ray Serve ends this replica and starts another."""


class Replica:
    """Serves the models of its settings to the entrances that hold its handle."""

    def __init__(self, settings: ServingSettings) -> None:
        stay_offline()
        configure_logs()
        from inference.serving import open_serving  # noqa: PLC0415  # imports torch, which the driver does not need

        self._serving = open_serving(settings)
        self._settings = settings
        self._serving.start()

    async def answer(self, asked: Asked) -> AsyncIterator[list[Message]]:
        # Closed with this generator, not when it is collected: a client that left must free its generation now.
        async with aclosing(answer(self._serving.application, asked)) as pieces:
            async for messages in pieces:
                yield messages

    def settings(self) -> ServingSettings:
        """What it was started with, so that a second entrance knows whether it would start the same."""
        return self._settings

    def page(self) -> tuple[str, bytes]:
        """Its name among the replicas, and its metrics as Prometheus' text."""
        return _name(), self._serving.page()

    def check_health(self) -> None:
        """Ray Serve's own question, asked every few seconds."""
        if not self._serving.is_ready:
            raise EngineNotReady

    def __del__(self) -> None:
        # Ray Serve calls it when no request is left, or when the time to wait for them is over.
        if (serving := getattr(self, "_serving", None)) is not None:
            serving.stop(timeout_s=0)


def _name() -> str:
    from ray import serve  # noqa: PLC0415  # a replica is told its name by Ray Serve only

    return str(serve.get_replica_context().replica_id.unique_id)
