# SPDX-License-Identifier: Apache-2.0
"""What the control plane signed for this node is verified by the keys that are there now.

Rules: keys are read anew whenever something signed arrives, so that one that was added counts at once and one that was
taken away counts no more. What is not a public EC P-256 key is passed over, and said in the log: it must not keep the
others from counting.
"""

from pathlib import Path
from typing import Final

import structlog

from policies.bundle.jws import VerificationKeys, load_verification_keys
from proxy_addons.key_places import KeyPlaces, bundle_key_paths
from proxy_addons.settings import SettingInvalid

_log: Final = structlog.get_logger()

# A public key takes 200 bytes.
_LARGEST_KEY_BYTES: Final = 16 * 1024


def read_bundle_keys(places: KeyPlaces) -> VerificationKeys:
    """Return the keys there are now, by their ids; where both places have one of an id, that of the folder."""
    return {
        key_id: pem for key_id, path in bundle_key_paths(places).items() if (pem := _read(path, key_id)) is not None
    }


def check_bundle_keys(places: KeyPlaces) -> None:
    """Raise SettingInvalid unless there is a key to begin with."""
    if not read_bundle_keys(places):
        raise SettingInvalid(
            "GATEHOUSE_BUNDLE_KEY_FILE", "must hold the public EC P-256 key as PEM, or GATEHOUSE_BUNDLE_KEYS_DIR one"
        )


def _read(path: Path, key_id: str) -> bytes | None:
    try:
        with path.open("rb") as file:
            pem = file.read(_LARGEST_KEY_BYTES)
        load_verification_keys({key_id: pem})
    except (OSError, ValueError) as exc:
        _log.error("bundle_key_not_read", key_id=key_id, problem=type(exc).__name__)
        return None
    return pem
