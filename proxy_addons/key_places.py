# SPDX-License-Identifier: Apache-2.0
"""Where the control plane's public keys are on this node: one file, a folder of `<key id>.pem`, or both."""

import logging
from pathlib import Path
from typing import Final, Protocol

from proxy_addons.settings import is_identifier

_log: Final = logging.getLogger("gatehouse.keys")

_SUFFIX: Final = ".pem"


class KeyPlaces(Protocol):
    """Where keys are looked for. One of file and folder may be None."""

    @property
    def bundle_key_file(self) -> Path | None: ...
    @property
    def bundle_key_id(self) -> str: ...
    @property
    def bundle_keys_dir(self) -> Path | None: ...


def bundle_key_paths(places: KeyPlaces) -> dict[str, Path]:
    """Return the files that there are now by key id; of two with one id that of the folder."""
    paths = {} if places.bundle_key_file is None else {places.bundle_key_id: places.bundle_key_file}
    if places.bundle_keys_dir is not None:
        try:
            paths |= {
                path.stem: path
                for path in sorted(places.bundle_keys_dir.iterdir())
                if path.suffix == _SUFFIX and is_identifier(path.stem)
            }
        except OSError as exc:
            _log.error("bundle_keys_not_read problem=%s", exc.strerror)  # the folder is the operator's to name
    return paths
