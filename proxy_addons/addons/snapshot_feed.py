# SPDX-License-Identifier: Apache-2.0
"""Holds the policy and the credentials in force, and gives each exchange the ones it keeps to its end."""

import time
from collections import Counter
from collections.abc import Callable
from typing import ClassVar, Final

import structlog
from mitmproxy import http

from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import Hook, exchange_of
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.identity_tokens import TokenVerifier
from proxy_addons.core.issuer_keys import IssuerKeySet

_log: Final = structlog.get_logger()


class SnapshotFeed:
    """One per worker. Used from its event loop only, so that an assignment is the whole of a swap.

    `on_release` is called once with each replaced policy, when the last exchange that it decides has ended.
    """

    NOT_HOOKS: ClassVar = frozenset({"swap", "use_credentials", "use_issuer_keys", "trust_until", "finish"})

    def __init__(
        self,
        *,
        on_release: Callable[[ActivePolicy], None],
        on_unknown_key: Callable[[str], None] = lambda _issuer: None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._on_release = on_release
        self._on_unknown_key = on_unknown_key
        self._monotonic_ns = monotonic_ns
        self._trusted_until_ns: int | None = None
        self._issuer_keys: tuple[IssuerKeySet, ...] = ()
        self._tokens: TokenVerifier | None = None
        self._active: ActivePolicy | None = None
        self._key_ring: KeyRing | None = None
        self._open: dict[str, ActivePolicy] = {}
        # By identity: a policy that is counted is held by an exchange or is active, so that its id is not used again.
        self._open_count: Counter[int] = Counter()

    @property
    def active(self) -> ActivePolicy | None:
        return self._active

    @property
    def key_ring(self) -> KeyRing | None:
        return self._key_ring

    @property
    def tokens(self) -> TokenVerifier | None:
        """What verifies tokens, by the active policy and the newest keys; either ends it, and what it remembers."""
        return self._tokens

    def swap(self, policy: ActivePolicy) -> None:
        """Decide every request from now on by `policy`. Those under way keep the one they began with."""
        replaced, self._active = self._active, policy
        self._tokens = self._verifier(policy)
        _log.info("policy_activated", serial=policy.serial, revision=policy.snapshot.revision)
        if replaced is not None:
            self._release_if_idle(replaced)

    def use_credentials(self, key_ring: KeyRing) -> None:
        """Authenticate every request from now on by `key_ring`."""
        self._key_ring = key_ring
        _log.info("credentials_activated", epoch=key_ring.epoch)

    def trust_until(self, monotonic_ns: int) -> None:
        """Give no exchange a policy after that time, since nobody has confirmed it by then. Untold, there is no end."""
        self._trusted_until_ns = monotonic_ns

    def use_issuer_keys(self, key_sets: tuple[IssuerKeySet, ...]) -> None:
        """Verify tokens from now on by the keys of `key_sets`, and by no other."""
        self._issuer_keys = key_sets
        if self._active is not None:
            self._tokens = self._verifier(self._active)
        _log.info("issuer_keys_in_use", issuers=len(key_sets), keys=sum(len(each.keys) for each in key_sets))

    def _verifier(self, policy: ActivePolicy) -> TokenVerifier:
        return TokenVerifier(
            [issuer for identity in policy.snapshot.identity for issuer in identity.issuers],
            self._issuer_keys,
            tenant=policy.snapshot.tenant,
            on_unknown_key=self._on_unknown_key,
        )

    @fail_closed(Hook.REQUESTHEADERS)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        exchange = exchange_of(flow)
        trusted = self._trusted_until_ns is None or self._monotonic_ns() < self._trusted_until_ns
        active = exchange.policy = self._active if trusted else None
        if active is not None:
            self._open[exchange.request_id] = active
            self._open_count[id(active)] += 1

    def finish(self, exchange: Exchange) -> None:
        """Note the end of `exchange`; a second time changes nothing."""
        policy = self._open.pop(exchange.request_id, None)
        if policy is None:
            return
        self._open_count[id(policy)] -= 1
        self._release_if_idle(policy)

    def _release_if_idle(self, policy: ActivePolicy) -> None:
        if policy is self._active or self._open_count[id(policy)] > 0:
            return
        del self._open_count[id(policy)]
        _log.info("policy_released", serial=policy.serial)
        self._on_release(policy)
