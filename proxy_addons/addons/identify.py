# SPDX-License-Identifier: Apache-2.0
"""Says whose request it is, before anything else about the request is looked at."""

from collections.abc import Callable
from datetime import datetime

from mitmproxy import http

from policies.contracts.decision import Reason
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import Hook, exchange_of, refuse
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.firewall import client_request_id_of, trace_id_of
from proxy_addons.core.identity import credential_of
from proxy_addons.core.refused import Refused


class Identify:
    def __init__(self, feed: SnapshotFeed, *, clock: Callable[[], datetime]) -> None:
        self._feed = feed
        self._clock = clock

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        if exchange.refusal is not None:
            return
        if exchange.fault is not None:
            # The head could not be read: the flow's request is a placeholder, which must not be taken for the client's.
            refuse(flow, exchange, Reason(code=exchange.fault))
            return
        headers = flow.request.headers.fields
        exchange.trace_id = trace_id_of(headers)
        exchange.client_request_id = client_request_id_of(headers)
        key_ring = self._feed.key_ring
        if key_ring is None:
            refuse(flow, exchange, Reason(code=POLICY_UNAVAILABLE))
            return
        try:
            exchange.credential = key_ring.authenticate(
                credential_of(headers, flow.request.data.path), now=self._clock()
            )
        except Refused as refused:
            refuse(flow, exchange, Reason(code=refused.code))
