# SPDX-License-Identifier: Apache-2.0
"""One OPA server: started for one bundle, started again when it dies or hangs, stopped with its file."""

import logging
import os
import subprocess
from pathlib import Path
from typing import Final

from proxy_addons.opa_pool.bundle_key import verification_key
from proxy_addons.opa_pool.pulse import Pulse
from proxy_addons.opa_pool.settings import PoolSettings
from proxy_addons.parent_death import die_with_parent

_log: Final = logging.getLogger("gatehouse.opa_pool")

# An OPA that dies at once (a bundle it refuses) is tried again after 50 ms, 100 ms, … at most 1 s: a kill is repaired
# within a second, and a bundle that can never load costs one start a second until the node takes it away.
_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 0.9
_STABLE_AFTER_S: Final = 5.0
_STOP_S: Final = 2.0


class Child:
    """The OPA of one bundle file. `tend` is called often and makes it run."""

    def __init__(self, settings: PoolSettings, *, bundle: Path, socket: Path) -> None:
        self.socket = socket
        self._pulse = Pulse(socket)
        self._settings = settings
        self._bundle = bundle
        self._running: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._not_before = 0.0
        self._delay_s = _FIRST_DELAY_S

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running is not None else None

    def tend(self, now: float) -> bool:
        """Start the server if it does not run; True if its pid changed. `now` is monotonic seconds."""
        if self._running is not None:
            status = self._running.poll()
            if status is None:
                if self._pulse.hangs(now):
                    _log.error("opa_hung bundle=%s pid=%d", self._bundle.name, self._running.pid)
                    self._pulse.close()
                    self._running.kill()  # the next look finds it dead, and starts another
                return False
            self._running = None
            self._pulse.close()
            if now - self._started_at >= _STABLE_AFTER_S:
                self._delay_s = _FIRST_DELAY_S
            self._wait(now)
            _log.error("opa_died bundle=%s status=%d", self._bundle.name, status)
            return True
        if now < self._not_before:
            return False
        self.socket.unlink(missing_ok=True)  # a socket file of a dead server makes bind fail
        try:
            self._running = self._start()
        except OSError as exc:
            # The binary is being replaced, or there is no memory for a process. The pool must outlive that: with it
            # every other bundle's server would end.
            self._wait(now)
            _log.error("opa_not_started bundle=%s problem=%s", self._bundle.name, exc.strerror)
            return False
        self._started_at = now
        _log.info("opa_started bundle=%s pid=%d", self._bundle.name, self._running.pid)
        return True

    def _wait(self, now: float) -> None:
        """Put the next start off, for longer each time."""
        self._not_before = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)

    def stop(self) -> None:
        """Ask the server to end; `finish` waits for it."""
        if self._running is not None:
            self._running.terminate()

    def finish(self) -> None:
        """Return when the server is gone and its socket with it."""
        if self._running is not None:
            try:
                self._running.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
            self._running = None
        self._pulse.close()
        self.socket.unlink(missing_ok=True)

    def _start(self) -> "subprocess.Popen[bytes]":
        key_file, key_id = verification_key(self._bundle, self._settings)
        pool_pid = os.getpid()
        return subprocess.Popen(
            [
                *(os.fspath(self._settings.binary), "run", "--server"),
                *("--addr", f"unix://{self.socket}"),
                *("--verification-key", os.fspath(key_file)),
                *("--verification-key-id", key_id),
                *("--signing-alg", "ES256", "--scope", "read"),
                # Open queries end within the engine's deadline, well below a second.
                *("--shutdown-grace-period", "1"),
                # The version check would call home.
                *("--skip-version-check", "--log-level", "error"),
                *("--unix-socket-perm", "700"),
                *("--bundle", os.fspath(self._bundle)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # No proxy variables, tokens or other settings of ours: OPA needs none, and `opa.runtime` could show them.
            env={"PATH": os.defpath, "HOME": os.fspath(self._settings.opa_dir)},
            cwd=self._settings.opa_dir,
            close_fds=True,
            # Safe here: the pool has one thread, and the function only makes two system calls.
            preexec_fn=lambda: die_with_parent(pool_pid),  # noqa: PLW1509  # see above
        )
