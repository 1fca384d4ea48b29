# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster of this machine alone, for this process alone.

Facts (Ray 2.60)
    Ray's processes talk over TCP even on one machine, and run whatever code they are sent.
    They listen on the loopback address only where Ray takes that for the machine's own, which it does on Linux when it
    is told to behave as on a desktop. One port of each replica listens on every address all the same.
    With RAY_USE_TLS each of those ports wants a certificate of the cluster's authority, and with RAY_AUTH_MODE=token
    the cluster's token.

So the environment below is set before Ray is imported: the loopback address, an authority and a token that are made for
this start and lie in a folder that only its owner may enter, no dashboard, and no statistics of use sent to anybody.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from inference.cluster.certificates import ClusterCertificates, make_certificates


class LocalFolder:
    """Where a local cluster keeps sockets, logs, its token and its certificates. Gone with `remove`."""

    def __init__(self) -> None:
        # Short, and not below the user's own choice of a temporary folder: a Unix socket's path has 107 characters.
        self.path = Path(tempfile.mkdtemp(prefix="gatehouse-ray-", dir="/tmp"))
        self.token = self.path / "token"
        with os.fdopen(os.open(self.token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        self.certificates = make_certificates(self.path, now=lambda: datetime.now(UTC))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def quiet_environment() -> dict[str, str]:
    """For any cluster: nothing of its use is sent; log lines come plain, and each of them, however alike they are."""
    return {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}


def local_environment(*, token: Path, certificates: ClusterCertificates) -> Mapping[str, str]:
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(certificates.certificate),
        "RAY_TLS_SERVER_KEY": str(certificates.key),
        "RAY_TLS_CA_CERT": str(certificates.authority),
    }
