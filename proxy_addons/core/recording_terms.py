# SPDX-License-Identifier: Apache-2.0
"""Which recording terms hold for an exchange, by what is known of it so far."""

from policies.contracts.recording import USUAL_TERMS, RecordingTerms
from policies.evaluation.recording import recording_terms
from proxy_addons.core.exchange import Exchange


def terms_of(exchange: Exchange) -> RecordingTerms:
    """Return what holds. Without a policy, and before one selects it, records are strict and no content is kept."""
    policy, credential, route, resource = exchange.policy, exchange.credential, exchange.route, exchange.resource
    if policy is None or not policy.snapshot.logging:
        return USUAL_TERMS
    return recording_terms(
        policy.snapshot,
        subject=None if credential is None else credential.subject,
        operation=None if route is None else route.operation,
        model=resource.id if resource is not None and resource.type == "model" else None,
    )
