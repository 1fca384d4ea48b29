# SPDX-License-Identifier: Apache-2.0
"""Holds the policies and the credentials in force, and gives each exchange the ones it keeps to its end.

Rules: an exchange is decided by one policy. It is given the one in force; where a candidate is tried that decides for
whoever asks, it is moved to that once, before anything but its credentials was looked at (`choose`), and identified
anew. Whatever is asked of a policy later is asked of the one that the exchange has.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import structlog
from mitmproxy import http

from policies.contracts.request import Subject
from proxy_addons.addons.fail_closed import fail_closed
from proxy_addons.addons.flows import Hook, exchange_of
from proxy_addons.core.active import ActivePolicy
from proxy_addons.core.exchange import Credential, Exchange
from proxy_addons.core.identity import KeyRing
from proxy_addons.core.identity_tokens import TokenVerifier
from proxy_addons.core.issuer_keys import IssuerKeySet
from proxy_addons.core.revocations import Revocations
from proxy_addons.core.trial import Trial

_log: Final = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _InUse:
    """A policy at work, what verifies tokens by it, and how many exchanges are not done with it."""

    policy: ActivePolicy
    tokens: TokenVerifier
    open_count: int = 0


class SnapshotFeed:
    """One per worker. Used from its event loop only, so that an assignment is the whole of a swap.

    `on_release` is called once with each policy that is at work no more, when the last exchange that it decides, or
    judges beside, has ended.
    """

    NOT_HOOKS: ClassVar = frozenset(
        {
            "swap",
            "use_credentials",
            "use_revocations",
            "revokes",
            "ends",
            "use_issuer_keys",
            "trust_until",
            "finish",
            "try_beside",
            "end_trial",
            "forget_ended",
            "loaded",
            "choose",
            "hold",
            "let_go",
            "tokens_of",
        }
    )

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
        self._active: _InUse | None = None
        self._trial: Trial | None = None
        self._ended: ActivePolicy | None = None  # a candidate tried no more, which may be put in force yet
        self._in_use: dict[int, _InUse] = {}  # by identity: what is in here is alive, so that no id is used again
        self._key_ring: KeyRing | None = None
        self._revocations = Revocations()
        self._open: dict[str, _InUse] = {}

    @property
    def active(self) -> ActivePolicy | None:
        return None if self._active is None else self._active.policy

    @property
    def trial(self) -> Trial | None:
        """The candidate that is tried beside the policy in force."""
        return self._trial

    @property
    def key_ring(self) -> KeyRing | None:
        return self._key_ring

    @property
    def revocations(self) -> Revocations:
        return self._revocations

    def tokens_of(self, policy: ActivePolicy) -> TokenVerifier | None:
        """Return what verifies tokens by `policy` and the newest keys; either ends it, and what it remembers."""
        in_use = self._in_use.get(id(policy))
        return None if in_use is None else in_use.tokens

    def swap(self, policy: ActivePolicy) -> None:
        """Decide every request from now on by `policy`. Those under way keep the one they began with.

        A candidate that it is, or that is older than it, is tried no more.
        """
        replaced = self.active
        self._active = self._used(policy)
        if self._ended is policy:
            self._ended = None
        _log.info("policy_activated", serial=policy.serial, revision=policy.snapshot.revision)
        if self._trial is not None and self._trial.policy.serial <= policy.serial:
            self.end_trial()
        self.forget_ended()
        if replaced is not None and replaced is not policy:
            self._release_if_idle(replaced)

    def try_beside(self, trial: Trial) -> bool:
        """Try `trial` from now on, and no other. False: the policy in force is that one already, or newer."""
        if self._active is not None and trial.policy.serial <= self._active.policy.serial:
            return False
        if self._trial is not None and self._trial.policy is not trial.policy:
            self.end_trial()
        if self._ended is trial.policy:
            self._ended = None
        self.forget_ended()
        self._used(trial.policy)
        self._trial = trial
        terms = trial.terms
        _log.info("candidate_tried", serial=trial.policy.serial, mode=terms.mode.value, here=trial.here)
        return True

    def end_trial(self) -> None:
        """Try no candidate from now on. The last is kept until `forget_ended`: it may be put in force yet."""
        trial, self._trial = self._trial, None
        if trial is None:
            return
        _log.info("candidate_ended", serial=trial.policy.serial)
        if trial.policy is self.active:
            return
        self.forget_ended()
        self._ended = trial.policy

    def forget_ended(self) -> None:
        """Release the candidate that was tried last, once no exchange needs it."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self._release_if_idle(ended)

    def loaded(self, etag: str) -> ActivePolicy | None:
        """Return the candidate of the bundle that `etag` names, if there is one here, tried or ended."""
        candidates = (self._ended, None if self._trial is None else self._trial.policy)
        return next((each for each in candidates if each is not None and etag and each.etag == etag), None)

    def use_credentials(self, key_ring: KeyRing) -> None:
        """Authenticate every request from now on by `key_ring`."""
        self._key_ring = key_ring
        _log.info("credentials_activated", epoch=key_ring.epoch)

    def use_revocations(self, revocations: Revocations) -> None:
        """Refuse what `revocations` name from now on, also where it is remembered as good."""
        self._revocations = revocations
        _log.info("revocations_in_force", epoch=revocations.epoch)

    def revokes(self, credential: Credential) -> bool:
        """Tell whether either document in force refuses what was let in before; without one nobody would be."""
        key_ring = self._key_ring
        return key_ring is None or key_ring.revoke(credential) or self._revocations.revoke(credential)

    def ends(self, exchange: Exchange) -> bool:
        """Tell whether the answer of `exchange`, under way, ends now: its credential is revoked and its policy cuts."""
        credential, policy = exchange.credential, exchange.policy
        return credential is not None and policy is not None and policy.cuts_revoked and self.revokes(credential)

    def trust_until(self, monotonic_ns: int) -> None:
        """Give no exchange a policy after that time, since nobody has confirmed it by then. Untold, there is no end."""
        self._trusted_until_ns = monotonic_ns

    def use_issuer_keys(self, key_sets: tuple[IssuerKeySet, ...]) -> None:
        """Verify tokens from now on by the keys of `key_sets`, and by no other."""
        self._issuer_keys = key_sets
        for in_use in self._in_use.values():
            in_use.tokens = self._verifier(in_use.policy)
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
        active = self._active if trusted else None
        if active is not None:
            exchange.policy = active.policy
            self._open[exchange.request_id] = active
            active.open_count += 1

    def choose(self, exchange: Exchange, subject: Subject) -> bool:
        """Have the candidate decide `exchange`, if it decides for `subject`: True, and it is to be identified anew."""
        trial, before = self._trial, self._open.get(exchange.request_id)
        if trial is None or before is None or not trial.decides or not trial.chooses(subject):
            return False
        chosen = self._used(trial.policy)
        chosen.open_count += 1
        before.open_count -= 1  # it is in force: nothing to release
        self._open[exchange.request_id] = chosen
        exchange.policy = chosen.policy
        return True

    def hold(self, policy: ActivePolicy) -> None:
        """Keep `policy`, which judges an exchange beside, until `let_go`."""
        self._used(policy).open_count += 1

    def let_go(self, policy: ActivePolicy) -> None:
        self._used(policy).open_count -= 1
        self._release_if_idle(policy)

    def finish(self, exchange: Exchange) -> None:
        """Note the end of `exchange`; a second time changes nothing."""
        in_use = self._open.pop(exchange.request_id, None)
        if in_use is None:
            return
        in_use.open_count -= 1
        self._release_if_idle(in_use.policy)

    def _used(self, policy: ActivePolicy) -> _InUse:
        known = self._in_use.get(id(policy))
        if known is None:
            known = self._in_use[id(policy)] = _InUse(policy, self._verifier(policy))
        return known

    def _release_if_idle(self, policy: ActivePolicy) -> None:
        tried = None if self._trial is None else self._trial.policy
        if policy is self.active or policy is tried or policy is self._ended or self._used(policy).open_count > 0:
            return
        del self._in_use[id(policy)]
        _log.info("policy_released", serial=policy.serial)
        self._on_release(policy)
