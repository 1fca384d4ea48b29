# SPDX-License-Identifier: Apache-2.0
"""The compiled patterns of a node: compiled once for all its workers, beside its event loop, and kept in a folder.

A worker loads from the folder within milliseconds and never compiles: so a bundle is given to workers only when all
that it looks for is there. What was compiled once is not again, by a restart as little as by the next bundle.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from policies.contracts.snapshot import RedactionPolicy
from policies.redaction.engine import detectors_of
from policies.scanning.kept import KeptDatabases
from policies.scanning.source import Source
from policies.scanning.table import PatternTable
from proxy_addons.durable import private_directory

_log: Final = structlog.get_logger()

_PROGRAM: Final = (sys.executable, "-m", "proxy_addons.node.pattern_compiler")
# All detectors take some ten seconds of a processor, and have been seen to take a minute on one with six times as much
# to do. What is done by then is kept, and the next try has the less to do.
_WITHIN_S: Final = 300.0
_MOST_SAID_BYTES: Final = 2048


class PatternsNotCompiled(Exception):
    """What a bundle looks for could not be compiled, or not kept."""


class PatternKeeper:
    """`folder` is where workers find what `prepare` has compiled."""

    def __init__(self, node_dir: Path, *, program: Sequence[str] = _PROGRAM) -> None:
        self.folder = private_directory(node_dir / "patterns")
        self._kept = KeptDatabases(self.folder, compiles=False)
        self._program = program
        self._compiling: dict[tuple[str, ...], asyncio.Task[None]] = {}

    async def prepare(self, policies: Sequence[RedactionPolicy]) -> None:
        """Return when all that the rules of `policies` look for is compiled. Raises PatternsNotCompiled.

        Cancelled, it goes on for whoever asks for the same again: a start does not wait for it longer than it likes.
        """
        try:
            missing = await asyncio.to_thread(self._missing, policies)
        except Exception as exc:  # a detector, a validator, an expression, a model that this node does not have
            raise PatternsNotCompiled(f"{type(exc).__name__}: {exc}") from exc
        if not missing:
            return
        names = tuple(source.name for source in missing)
        task = self._compiling.get(names)
        if task is None:
            task = self._compiling[names] = asyncio.create_task(self._compile(missing))
            task.add_done_callback(lambda done: self._forget(names, done))
        await asyncio.shield(task)

    @property
    def compiling(self) -> bool:
        return bool(self._compiling)

    async def stop(self) -> None:
        """End what is being compiled."""
        tasks = tuple(self._compiling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, names: tuple[str, ...], done: asyncio.Task[None]) -> None:
        del self._compiling[names]
        if not done.cancelled() and (exc := done.exception()) is not None:
            _log.error("patterns_not_compiled", problem=str(exc))  # whoever waited may be gone

    def _missing(self, policies: Sequence[RedactionPolicy]) -> list[Source]:
        wanted = PatternTable(detectors_of(policies)).sources()
        return [source for source in wanted if self._kept.get(source.name) is None]

    async def _compile(self, missing: Sequence[Source]) -> None:
        began = time.monotonic()
        _log.info("patterns_compiling", databases=len(missing))
        said = b"".join(source.to_json().encode() + b"\n" for source in missing)
        try:
            async with asyncio.timeout(_WITHIN_S):
                status, problem = await self._run(said)
        except (TimeoutError, OSError) as exc:
            raise PatternsNotCompiled(f"patterns are not compiled: {type(exc).__name__}") from exc
        if status != 0:
            raise PatternsNotCompiled(f"patterns are not compiled, status {status}: {problem}")
        if not all(await asyncio.to_thread(lambda: [self._kept.get(source.name) for source in missing])):
            raise PatternsNotCompiled(f"compiled patterns cannot be kept in {self.folder}: see to space and access")
        _log.info("patterns_compiled", databases=len(missing), seconds=round(time.monotonic() - began, 2))

    async def _run(self, said: bytes) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *self._program,
            *("--folder", str(self.folder), "--node-pid", str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, problem = await process.communicate(said)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return await process.wait(), problem[-_MOST_SAID_BYTES:].decode(errors="replace").strip()
