# SPDX-License-Identifier: Apache-2.0
"""Which of several public keys an OPA is given for a bundle: its command line takes one.

It is the one that the bundle says it is signed by. OPA verifies by it, so that a bundle that names a key that did not
sign it is loaded by nobody.
"""

import base64
import errno
import json
import tarfile
from pathlib import Path
from typing import Final

from proxy_addons.key_places import KeyPlaces, bundle_key_paths

_SIGNATURES: Final = ".signatures.json"
# A signature lists every member by name and hash: 10,000 of them at 250 bytes, in base64.
_LARGEST_BYTES: Final = 8 * 1024 * 1024


def verification_key(bundle: Path, places: KeyPlaces) -> tuple[Path, str]:
    """Return the file and the id of the key for `bundle`. Raises OSError where there is none."""
    paths = bundle_key_paths(places)
    key_id = places.bundle_key_id if len(paths) == 1 and places.bundle_keys_dir is None else _signed_by(bundle)
    if key_id not in paths:
        raise OSError(errno.ENOKEY, "the key that the bundle is signed by is not configured")
    return paths[key_id], key_id


def _signed_by(bundle: Path) -> str:
    try:
        with tarfile.open(bundle, "r:gz") as archive:
            member = archive.extractfile(_SIGNATURES)
            listed = b"" if member is None else member.read(_LARGEST_BYTES)
        header = json.loads(listed)["signatures"][0].partition(".")[0]
        return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])
    except (tarfile.TarError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return ""
