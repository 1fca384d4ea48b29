# SPDX-License-Identifier: Apache-2.0
"""Make the discovery bundle: what a stock OPA that knows our address and public key is told (`docs/spec/bundle.md`).

Facts about OPA 1: unless told otherwise, all of the bundle's data is the configuration; what it was booted with wins; a
bundle that changes a key of the boot configuration, or the service it came from, is refused as a whole. So the key that
signs it is not in it, and neither is the service.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from policies.bundle.archive import pack_members
from policies.bundle.jws import SigningKey, sign
from policies.bundle.members import DATA, MANIFEST, SCOPE, SIGNATURES, opa_bytes, signature_payload, signatures
from policies.contracts.codec import JSON

_ALL_DATA: Final = ""
SERVICE: Final = "gatehouse"
BUNDLE: Final = "gatehouse"
# As docs/spec/bundle.md says; a feed holds no request for longer.
_LONGEST_WAIT_S: Final = 30
_RETRY_S: Final = {"min_delay_seconds": 1, "max_delay_seconds": 2}
# OPA's own wait minutes between uploads, and take 32 KiB at once.
_REPORTING: Final = {"min_delay_seconds": 1, "max_delay_seconds": 5, "upload_size_limit_bytes": 1_048_576}


def pack_discovery(signer: SigningKey, *, further_keys: Mapping[str, str]) -> bytes:
    """Return the signed discovery bundle. `further_keys` are public keys in PEM that may sign policy bundles, too."""
    data = _configuration(further_keys)
    revision = "sha256:" + hashlib.sha256(opa_bytes(data)).hexdigest()
    members = {
        MANIFEST: opa_bytes({"revision": revision, "rego_version": 1, "roots": [_ALL_DATA]}),
        DATA: opa_bytes(data),
    }
    members[SIGNATURES] = signatures(sign(signature_payload(members), signer))
    return pack_members(members)


def _configuration(further_keys: Mapping[str, str]) -> dict[str, JSON]:
    bundle: dict[str, JSON] = {
        "service": SERVICE,
        "resource": "bundles/gatehouse.tar.gz",
        "persist": True,
        "polling": {**_RETRY_S, "long_polling_timeout_seconds": _LONGEST_WAIT_S},
        # No key id: each bundle names its own, so that keys can overlap.
        "signing": {"scope": SCOPE},
    }
    configuration: dict[str, JSON] = {
        "bundles": {BUNDLE: bundle},
        "decision_logs": {"service": SERVICE, "reporting": _REPORTING},
        "status": {"service": SERVICE},
        "default_decision": "gatehouse/main",
    }
    if further_keys:
        configuration["keys"] = {
            key_id: {"algorithm": "ES256", "key": pem, "scope": SCOPE} for key_id, pem in further_keys.items()
        }
    return configuration
