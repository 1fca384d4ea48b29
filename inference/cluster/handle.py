# SPDX-License-Identifier: Apache-2.0
"""Ray Serve's handle, with its exceptions and its cancellation put into our words."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from ray.exceptions import RayActorError, RayError, RaySystemError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RequestCancelledError
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator
from starlette.types import Message

from inference.cluster.exchange import Answering, Asked, Overloaded, ReplicaLost


class ReplicaHandle:
    """Asks the replica with the shortest queue of two that Ray Serve draws."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle: Any = handle  # typed in part only
        self._streaming = handle.options(method_name="answer", stream=True)

    def ask(self, asked: Asked) -> Answering:
        response: Any = self._streaming.remote(asked)
        return _Answer(response)

    def pages(self, *, timeout_s: float) -> dict[str, bytes]:
        """The metrics of each replica that answers in time."""
        try:
            answers = self._handle.broadcast("page").results(timeout_s=timeout_s, return_exceptions=True)
        except (TimeoutError, RayError):
            return {}
        return dict(answer for answer in answers if not isinstance(answer, BaseException))


class _Answer:
    def __init__(self, response: DeploymentResponseGenerator[list[Message]]) -> None:
        self._response: Any = response  # typed in part only
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[list[Message]]:
        try:
            async for messages in self._response:
                yield messages
            self._ended = True
        except BackPressureError as exc:
            self._ended = True
            raise Overloaded from exc
        except (RayActorError, RaySystemError, DeploymentUnavailableError) as exc:
            self._ended = True
            raise ReplicaLost from exc
        except RequestCancelledError as exc:
            raise asyncio.CancelledError from exc

    def cancel(self) -> None:
        if self._ended:
            return
        self._ended = True
        # Best effort in any case; it raises what the request itself ended with.
        with contextlib.suppress(Exception):
            self._response.cancel()
