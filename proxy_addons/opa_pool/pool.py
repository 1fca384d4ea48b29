# SPDX-License-Identifier: Apache-2.0
"""Makes the running OPA servers equal to the bundle files of the node."""

import json
import re
import time
from pathlib import Path
from typing import Final

from proxy_addons.durable import private_directory
from proxy_addons.opa_pool.child import Child
from proxy_addons.opa_pool.settings import PoolSettings
from proxy_addons.opa_pool.sockets import choose_directory, serial_of, socket_path

_BUNDLE: Final = re.compile(r"([0-9]{20})\.tar\.gz")


class Pool:
    """One Child for each `bundles/<20-digit serial>.tar.gz`. `children.json` says which runs as which process."""

    def __init__(self, settings: PoolSettings, *, runtime_dir: str | None) -> None:
        self._settings = settings
        private_directory(settings.node_dir)
        private_directory(settings.bundles_dir)
        self._directory = choose_directory(settings.opa_dir, runtime_dir=runtime_dir)
        self._children: dict[int, Child] = {}
        self._remove_stale_sockets()
        self._report()

    def tend(self) -> None:
        """Start what is missing, stop what is no longer wanted, and report if anything changed."""
        wanted = self._bundles()
        unwanted = [self._children.pop(serial) for serial in self._children.keys() - wanted.keys()]
        for child in unwanted:
            child.stop()
        for child in unwanted:
            child.finish()
        for serial in wanted.keys() - self._children.keys():
            self._children[serial] = Child(
                self._settings,
                bundle=wanted[serial],
                socket=socket_path(self._directory, serial),
            )
        now = time.monotonic()
        changed = [child.tend(now) for child in self._children.values()]
        if unwanted or any(changed):
            self._report()

    def stop(self) -> None:
        """Stop every server. Together, so that the last one does not wait for the first."""
        for child in self._children.values():
            child.stop()
        for child in self._children.values():
            child.finish()
        self._children.clear()
        self._report()

    def _bundles(self) -> dict[int, Path]:
        names = ((_BUNDLE.fullmatch(path.name), path) for path in self._settings.bundles_dir.iterdir())
        return {int(found[1]): path for found, path in names if found}

    def _remove_stale_sockets(self) -> None:
        # The servers of an earlier pool died with it (PR_SET_PDEATHSIG); their socket files did not.
        for path in self._directory.iterdir():
            if serial_of(path.name) is not None:
                path.unlink()

    def _report(self) -> None:
        children = {
            str(serial): {"pid": child.pid, "socket": str(child.socket)} for serial, child in self._children.items()
        }
        path = self._settings.opa_dir / "children.json"
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(children), encoding="utf-8")
        unfinished.replace(path)
