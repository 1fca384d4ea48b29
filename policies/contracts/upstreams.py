# SPDX-License-Identifier: Apache-2.0
"""Which upstream a request goes to, by its name: where that is, and what is shown there, only the node's operator says.

So no policy sends a prompt to a host that the operator did not permit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from policies.contracts.members import members

# The upstream of every node, where requests go that no rule sends elsewhere.
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRule:
    """Requests of these operations and models go to the upstream called `name`. Empty selects all, but not both."""

    name: str
    operations: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamsPolicy:
    """The first of `upstreams` that selects a request counts."""

    id: str
    version: str
    upstreams: tuple[UpstreamRule, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError."""
        return cls(**members(cls, raw) | {"upstreams": tuple(map(_rule, raw["upstreams"]))})


def _rule(raw: Mapping[str, Any]) -> UpstreamRule:
    return UpstreamRule(**members(UpstreamRule, raw) | {name: tuple(raw[name]) for name in ("operations", "models")})
