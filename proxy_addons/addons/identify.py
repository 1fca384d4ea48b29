# SPDX-License-Identifier: Apache-2.0
"""Says whose request it is, before anything else about the request is looked at, and with it which policy decides it.

Rules: one credential. A client certificate that names somebody is one, and may stand beside a header only where both
mean the same subject: the certificate then is a second proof of what the header says, and the header is the credential.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from mitmproxy import http

from policies.contracts.decision import Reason
from proxy_addons.addons.fail_closed import POLICY_UNAVAILABLE, fail_closed
from proxy_addons.addons.flows import Hook, exchange_of, refuse
from proxy_addons.addons.snapshot_feed import SnapshotFeed
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import Credential, Exchange
from proxy_addons.core.firewall import Headers, client_request_id_of, trace_id_of
from proxy_addons.core.identity import credential_of
from proxy_addons.core.refused import Refused

_REVOKED: Final = "credentials-revoked"


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
        target = flow.request.data.path
        try:
            credential = identified(self._feed, exchange, headers, target, now=self._clock())
            if self._feed.choose(exchange, credential.subject):
                # A candidate decides all of it, so that who asks is not what another policy says.
                credential = identified(self._feed, exchange, headers, target, now=self._clock())
            exchange.credential = credential
        except Refused as refused:
            refuse(flow, exchange, Reason(code=refused.code))

    @fail_closed(Hook.REQUEST)
    def request(self, flow: http.HTTPFlow) -> None:
        """Look again: a body may take a minute to arrive, and nothing is decided by an epoch that has ended."""
        exchange = exchange_of(flow)
        credential = exchange.credential
        if exchange.refusal is None and credential is not None and self._feed.revokes(credential):
            refuse(flow, exchange, Reason(code=_REVOKED))


def identified(feed: SnapshotFeed, exchange: Exchange, headers: Headers, target: bytes, *, now: datetime) -> Credential:
    """Return the one credential of the exchange, by the policy that it has. Raises Refused."""
    policy, key_ring = exchange.policy, feed.key_ring
    if key_ring is None:
        raise Refused(POLICY_UNAVAILABLE)
    certificate = _certificate_of(exchange, policy, now)
    shown = credential_of(headers, target, certified=certificate is not None)
    if shown is None:
        if certificate is None:
            # Without a policy nobody can say whom a certificate names.
            unread = exchange.peer_certificate is not None and policy is None
            raise Refused(POLICY_UNAVAILABLE if unread else "credentials-missing")
        credential = certificate
    elif not shown.is_token:
        credential = key_ring.authenticate(shown.text, now=now)
    elif policy is None or (tokens := feed.tokens_of(policy)) is None:
        raise Refused(POLICY_UNAVAILABLE)
    else:
        credential = tokens.authenticate(shown.text, now=now)
    if certificate is not None and str(certificate.subject) != str(credential.subject):
        raise Refused("credentials-ambiguous")
    key_ring.refuse_blocked(credential.subject)
    revocations = feed.revocations
    if revocations.revoke(credential) or (certificate is not None and revocations.revoke(certificate)):
        raise Refused(_REVOKED)
    return credential


def _certificate_of(exchange: Exchange, policy: ActivePolicy | None, now: datetime) -> Credential | None:
    if exchange.peer_certificate is None or policy is None:
        return None
    return policy.certificates.identify(exchange.peer_certificate, now=now)
