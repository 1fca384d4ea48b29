# SPDX-License-Identifier: Apache-2.0
"""A layer over the file calls of a spool, in which a call fails, or several in a row.

It looks only at calls about files below one folder, so that nothing else of the process is disturbed.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

OS_CALLS = (
    "chmod", "close", "fdatasync", "fstat", "fsync", "ftruncate", "link", "listdir", "mkdir", "open", "posix_fallocate",
    "pread", "pwrite", "rename", "replace", "stat", "unlink",
)  # fmt: skip


class FailingCalls:
    """Counts the calls about files below `folder`, and has `times` of them, from `fails_at` on, raise `problem`.

    `behind` lets the call do its work first: what was written is written although the caller is told that it failed.
    `cut` lets a write put down half of what it should, and fail then. With `only`, other calls do not count.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fails_at: int = 2**62,
        times: int = 1,
        problem: int = errno.EIO,
        how: str = "before",
        only: str | None = None,
    ) -> None:
        self.count = 0
        self.failed: str | None = None
        self.refused = 0  # for whoever counts what came of it
        self._folder = str(folder)
        self._failing = range(fails_at, fails_at + times)
        self._problem = problem
        self._how = how
        self._only = only
        self._descriptors: set[int] = set()
        self._guard = threading.Lock()

    @contextmanager
    def in_place(self) -> Iterator["FailingCalls"]:
        with pytest.MonkeyPatch.context() as patched:
            for name in OS_CALLS:
                patched.setattr(os, name, self._wrapped(name, getattr(os, name)))
            patched.setattr(fcntl, "flock", self._wrapped("flock", fcntl.flock))
            yield self

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*asked: Any, **options: Any) -> Any:
            if not self._ours(asked[0] if asked else None):
                return real(*asked, **options)
            with self._guard:
                fails = self._only in {None, name} and self.count in self._failing
                self.count += self._only in {None, name}
            if fails:
                self.failed = name
                self._do_before_it_fails(name, real, asked, options)
                raise OSError(self._problem, os.strerror(self._problem))
            result = real(*asked, **options)
            if name == "open":
                self._descriptors.add(result)
            elif name == "close":
                self._descriptors.discard(asked[0])
            return result

        return call

    def _ours(self, subject: object) -> bool:
        if isinstance(subject, int):
            return subject in self._descriptors
        return isinstance(subject, str | os.PathLike) and os.fspath(subject).startswith(self._folder)

    def _do_before_it_fails(
        self, name: str, real: Callable[..., Any], asked: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        if name == "close":
            real(*asked, **options)  # as Linux does: the descriptor is gone
            self._descriptors.discard(asked[0])
        elif self._how == "behind" and name != "open":
            real(*asked, **options)
        elif self._how == "cut" and name == "pwrite":
            real(asked[0], bytes(asked[1])[: len(asked[1]) // 2], asked[2])
