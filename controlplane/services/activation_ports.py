# SPDX-License-Identifier: Apache-2.0
"""What putting releases to work needs of a store, beside what `ports.py` has."""

from typing import Protocol

from controlplane.services.model import Artifact


class EnvironmentDocuments(Protocol):
    def get(self, tenant: str, environment: str) -> Artifact | None: ...
    def number(self, tenant: str, environment: str) -> int:
        """Return the number of the newest document, 0 where there is none."""

    def candidate(self, tenant: str, environment: str) -> int | None:
        """Return the serial that the newest document names as its candidate."""

    def put(self, tenant: str, environment: str, document: Artifact, *, number: int, candidate: int | None) -> None: ...


class ActivationSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def environment_documents(self) -> EnvironmentDocuments: ...
