# SPDX-License-Identifier: Apache-2.0
"""Keep the parts running: start them, restart what dies, stop them in order, and say what runs.

Rules: a part that is wanted and dies is started again after `_FIRST_BACKOFF_S`, doubling to `_LAST_BACKOFF_S` while it
keeps dying young, so that it is back within five seconds. A part that was stopped on purpose stays stopped.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from controlplane.local.home import Home, write_private
from controlplane.local.log_files import rotate
from controlplane.local.parts import Part

_FIRST_BACKOFF_S: Final = 0.2
_LAST_BACKOFF_S: Final = 3.0
_GREW_OLD_S: Final = 10.0
_HEALTH_INTERVAL_S: Final = 0.1
# A part that dies this often before it was ever healthy has a wrong setting or a broken install; waiting helps nobody.
_HOPELESS_DEATHS: Final = 4
# A part that logs a line for each of 10,000 requests a second passes the bound by half within this time.
_ROTATE_EVERY_S: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1

log = structlog.get_logger()


class PartFailed(Exception):
    """A part did not become healthy in time. The text says where its log is."""


@dataclass(slots=True)
class _Kept:
    """One part with what is known of its process."""

    part: Part
    wanted: bool = True
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    young_deaths: int = 0
    keeper: "asyncio.Task[None] | None" = None
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None


class Supervisor:
    """Runs the parts of one home. `start`, `stop` and `close` are called from one event loop."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._kept: dict[str, _Kept] = {}
        self._rotating: asyncio.Task[None] | None = None

    async def launch(self, part: Part) -> None:
        """Start `part` and keep it running. Does not wait for its health."""
        if self._rotating is None:
            self._rotating = asyncio.create_task(self._rotate_logs())
        kept = self._kept[part.name] = _Kept(part)
        kept.keeper = asyncio.create_task(self._keep(kept))
        await asyncio.sleep(0)

    async def until_healthy(self, name: str, *, deadline_s: float) -> None:
        """Return when the part answers its health question. Raises PartFailed at the deadline."""
        kept = self._known(name)
        give_up_at = time.monotonic() + deadline_s
        while not (kept.pid is not None and await asyncio.to_thread(kept.part.is_healthy)):
            if kept.young_deaths >= _HOPELESS_DEATHS:
                raise PartFailed(f"{name} died {kept.young_deaths} times in a row; see {self._log_of(name)}")
            if time.monotonic() > give_up_at:
                raise PartFailed(f"{name} is not healthy after {deadline_s:.0f} s; see {self._log_of(name)}")
            await asyncio.sleep(_HEALTH_INTERVAL_S)

    async def stop(self, name: str) -> None:
        """Stop one part and leave it stopped. Raises KeyError for a name that is not a part's."""
        kept = self._known(name)
        kept.wanted = False
        await self._terminate(kept)
        if kept.keeper is not None:
            kept.keeper.cancel()
            await asyncio.gather(kept.keeper, return_exceptions=True)
        self._publish()

    async def start(self, name: str, *, deadline_s: float = 30.0) -> None:
        """Start a part that was stopped, and return when it is healthy."""
        kept = self._known(name)
        if not kept.wanted:
            await self.launch(kept.part)
        await self.until_healthy(name, deadline_s=deadline_s)

    async def close(self, order: Sequence[str], *, announce: Callable[[str], None]) -> None:
        """Stop every part: those in `order` first, in that order, then the rest."""
        for name in (*order, *self._kept):
            if name in self._kept and self._kept[name].wanted:
                announce(f"Stopping {name} …")
                await self.stop(name)
        if self._rotating is not None:
            self._rotating.cancel()
            await asyncio.gather(self._rotating, return_exceptions=True)
        self._home.processes.unlink(missing_ok=True)

    def names(self) -> list[str]:
        return list(self._kept)

    def _known(self, name: str) -> _Kept:
        if name not in self._kept:
            raise KeyError(f"there is no part {name!r}; the parts are {', '.join(self._kept)}")
        return self._kept[name]

    async def _keep(self, kept: _Kept) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            started = time.monotonic()
            kept.process = await self._spawn(kept.part)
            self._publish()
            code = await kept.process.wait()
            self._publish()
            if not kept.wanted:
                return
            log.warning("part_died", part=kept.part.name, exit_code=code, restarts=kept.restarts)
            kept.restarts += 1
            kept.young_deaths += 1
            if time.monotonic() - started > _GREW_OLD_S:
                backoff_s, kept.young_deaths = _FIRST_BACKOFF_S, 0
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _LAST_BACKOFF_S)

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_EVERY_S)
            for name in tuple(self._kept):
                try:
                    await asyncio.to_thread(rotate, self._log_of(name))
                except OSError as exc:
                    log.warning("log_not_rotated", part=name, problem=exc.strerror)

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        with self._log_of(part.name).open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *part.argv,
                env={**_inherited_environment(), **part.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A session of its own keeps the terminal's Ctrl-C from the part, so that parts stop in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    async def _terminate(self, kept: _Kept) -> None:
        process = kept.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), kept.part.stop_deadline_s)
        except TimeoutError:
            log.warning("part_killed", part=kept.part.name, after_s=kept.part.stop_deadline_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _publish(self) -> None:
        parts: list[dict[str, Any]] = [
            {
                "name": name,
                "pid": kept.pid,
                "address": kept.part.address,
                "state": "running" if kept.pid else ("restarting" if kept.wanted else "stopped"),
                "restarts": kept.restarts,
            }
            for name, kept in self._kept.items()
        ]
        content = json.dumps({"supervisor": {"pid": os.getpid()}, "parts": parts}, indent=2)
        write_private(self._home.processes, content.encode() + b"\n")

    def _log_of(self, name: str) -> Any:
        return self._home.logs / f"{name}.log"


def _inherited_environment() -> dict[str, str]:
    """The caller's environment without Gatehouse's own variables: each part is told its settings, and no other's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode is what makes a second start quick
    return own


def _die_with_parent() -> None:
    # Were the supervisor killed, its parts would hold the ports for ever; the kernel ends them with it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
