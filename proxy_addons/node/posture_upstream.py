# SPDX-License-Identifier: Apache-2.0
"""Check whether an inference server answers somebody who goes around the proxy."""

import ssl
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from proxy_addons.node.posture import Found, Outcome
from proxy_addons.node.posture_probe import models_request, status_of, stranger

_REFUSED: Final = frozenset({401, 403, 407})


async def check_upstreams_around(urls: Iterable[str]) -> Found:
    """Return whether any upstream answers without the node's certificate and key: the worst of what each comes to."""
    founds = [await _around(url) for url in urls]
    for outcome in (Outcome.FAILED, Outcome.SKIPPED):
        for found in founds:
            if found.outcome is outcome:
                return found
    return founds[0]


async def _around(url: str) -> Found:
    parts = urlsplit(url)
    tls = stranger() if parts.scheme == "https" else None
    port = parts.port or (443 if tls is not None else 80)
    try:
        status = await status_of(parts.hostname or "", port, models_request(parts.netloc), tls=tls)
    except TimeoutError:
        return Found(Outcome.SKIPPED, "no-answer")
    except (ssl.SSLError, ConnectionError):
        # No connection at all, or one that ends for want of a certificate: TLS 1.3 asks for it after the handshake.
        return Found(Outcome.PASSED, "connection-refused")
    except OSError:
        return Found(Outcome.SKIPPED, "not-reachable")  # no such name, no route: nothing was tried
    return _of_status(status)


def _of_status(status: int | None) -> Found:
    if status is None:
        return Found(Outcome.PASSED, "connection-refused")
    if status in _REFUSED:
        return Found(Outcome.PASSED, "credentials-asked")
    if 200 <= status < 300:  # noqa: PLR2004  # success, as HTTP has it
        return Found(Outcome.FAILED, "answers-without-credentials")
    return Found(Outcome.SKIPPED, "answer-says-neither")
