# SPDX-License-Identifier: Apache-2.0
"""What the use cases of change control need of the store (a part of `controlplane.services.ports`)."""

from typing import Protocol

from controlplane.services.environment_rules import EnvironmentRules, KeptRules


class RulesOfEnvironments(Protocol):
    def get(self, tenant: str, environment: str) -> EnvironmentRules:
        """Return the rules in force; those of before there were rules where nobody set any."""

    def kept(self, tenant: str, environment: str) -> KeptRules:
        """As `get`, with who set them when; of version 0 where nobody did."""

    def put(self, kept: KeptRules) -> None: ...


class ChangeSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def environment_rules(self) -> RulesOfEnvironments: ...
