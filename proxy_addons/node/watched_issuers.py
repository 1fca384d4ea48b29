# SPDX-License-Identifier: Apache-2.0
"""Which issuers of tokens a node keeps the keys of: those of the policy in force, and of the candidate beside it."""

from collections.abc import Callable, Sequence

from policies.contracts.identity import Issuer
from policies.contracts.snapshot import PolicySnapshot


class WatchedIssuers:
    """`watch` is given all of them whenever they change. Where two policies differ on one, the one in force counts."""

    def __init__(self, watch: Callable[[Sequence[Issuer]], None]) -> None:
        self._watch = watch
        self._in_force: tuple[Issuer, ...] = ()
        self._tried: tuple[Issuer, ...] = ()

    def in_force(self, snapshot: PolicySnapshot) -> None:
        self._in_force = _issuers_of(snapshot)
        self._say()

    def tried(self, snapshot: PolicySnapshot | None) -> None:
        self._tried = () if snapshot is None else _issuers_of(snapshot)
        self._say()

    def _say(self) -> None:
        together = {issuer.issuer: issuer for issuer in (*self._tried, *self._in_force)}
        self._watch(tuple(together.values()))


def _issuers_of(snapshot: PolicySnapshot) -> tuple[Issuer, ...]:
    return tuple(issuer for identity in snapshot.identity for issuer in identity.issuers)
