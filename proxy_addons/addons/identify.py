# SPDX-License-Identifier: Apache-2.0
"""Says whose request it is, before anything else about the request is looked at.

Rules: one credential. A client certificate that names somebody is one, and may stand beside a header only where both
mean the same subject: the certificate then is a second proof of what the header says, and the header is the credential.
"""

from collections.abc import Callable
from datetime import datetime

from mitmproxy import http

from policies.contracts.decision import Reason
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import Hook, exchange_of, refuse
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.exchange import Credential, Exchange
from proxy_addons.core.firewall import Headers, client_request_id_of, trace_id_of
from proxy_addons.core.identity import KeyRing, credential_of
from proxy_addons.core.identity_tokens import TokenVerifier
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
        key_ring, tokens = self._feed.key_ring, self._feed.tokens
        if key_ring is None:
            refuse(flow, exchange, Reason(code=POLICY_UNAVAILABLE))
            return
        try:
            exchange.credential = self._identified(exchange, headers, flow.request.data.path, key_ring, tokens)
        except Refused as refused:
            refuse(flow, exchange, Reason(code=refused.code))

    def _identified(
        self,
        exchange: Exchange,
        headers: Headers,
        target: bytes,
        key_ring: KeyRing,
        tokens: TokenVerifier | None,
    ) -> Credential:
        """Return the one credential of the exchange. Raises Refused."""
        now = self._clock()
        certificate = _certificate_of(exchange, now)
        shown = credential_of(headers, target, certified=certificate is not None)
        if shown is None:
            if certificate is None:
                # Without a policy nobody can say whom a certificate names.
                unread = exchange.peer_certificate is not None and exchange.policy is None
                raise Refused(POLICY_UNAVAILABLE if unread else "credentials-missing")
            credential = certificate
        elif not shown.is_token:
            credential = key_ring.authenticate(shown.text, now=now)
        elif tokens is None or exchange.policy is None:
            raise Refused(POLICY_UNAVAILABLE)
        else:
            credential = tokens.authenticate(shown.text, now=now)
        if certificate is not None and str(certificate.subject) != str(credential.subject):
            raise Refused("credentials-ambiguous")
        key_ring.refuse_blocked(credential.subject)
        return credential


def _certificate_of(exchange: Exchange, now: datetime) -> Credential | None:
    if exchange.peer_certificate is None or exchange.policy is None:
        return None
    return exchange.policy.certificates.identify(exchange.peer_certificate, now=now)
