# SPDX-License-Identifier: Apache-2.0
"""Check that the node's own data port refuses who shows no credentials."""

from typing import Final

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_probe import models_request, status_of, stranger

_REFUSED: Final = frozenset({401, 403})
# The node is not ready to answer anybody; it says so, and lets nobody through.
_UNAVAILABLE: Final = 503


async def check_unauthenticated(host: str, port: int, *, name: str, tls: bool) -> Found:
    """Return whether a request without credentials is refused; `name` is what the gateway is called.

    An answer of any other kind, a failure of the upstream included, says that the request got past the credentials.
    """
    status = await status_of(host, port, models_request(name), tls=stranger() if tls else None)
    if status in _REFUSED:
        return Found(Outcome.PASSED, "refused")
    if status is None or status == _UNAVAILABLE:
        return Found(Outcome.SKIPPED, "not-serving")
    return Found(Outcome.FAILED, "passes-without-credentials")
