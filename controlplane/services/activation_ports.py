# SPDX-License-Identifier: Apache-2.0
"""What putting releases to work needs of a store, beside what `ports.py` has."""

from datetime import datetime
from typing import Protocol

from controlplane.services.model import Artifact, Page
from controlplane.services.rollout import Rollout, RolloutState, Transition


class EnvironmentDocuments(Protocol):
    def get(self, tenant: str, environment: str) -> Artifact | None: ...
    def number(self, tenant: str, environment: str) -> int:
        """Return the number of the newest document, 0 where there is none."""

    def candidate(self, tenant: str, environment: str) -> int | None:
        """Return the serial that the newest document names as its candidate."""

    def put(self, tenant: str, environment: str, document: Artifact, *, number: int, candidate: int | None) -> None: ...


class Rollouts(Protocol):
    def add(self, rollout: Rollout, began: Transition) -> None: ...
    def move(self, rollout: Rollout, transition: Transition, *, before: RolloutState) -> bool:
        """Keep the rollout as it is now. False, and nothing changed, where it is not in the state `before` any more."""

    def set_review(self, rollout: Rollout) -> None: ...
    def set_deadline(self, rollout: Rollout, acknowledge_by: datetime | None) -> None: ...
    def get(self, tenant: str, rollout_id: str) -> Rollout | None: ...
    def at_serial(self, tenant: str, environment: str, serial: int) -> Rollout | None: ...
    def candidate(self, tenant: str, environment: str) -> Rollout | None:
        """Return the one that is tried, of which there is one at most."""

    def open(self) -> tuple[Rollout, ...]:
        """Return those of every tenant for which something is to be done, sooner or later."""

    def page(self, tenant: str, *, awaiting_review: bool = False, after: str | None, limit: int) -> Page[Rollout]:
        """With `awaiting_review` only those by break-glass that nobody else looked at."""

    def history(self, tenant: str, rollout_id: str) -> tuple[Transition, ...]: ...


class ActivationSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def environment_documents(self) -> EnvironmentDocuments: ...
    @property
    def rollouts(self) -> Rollouts: ...
