# SPDX-License-Identifier: Apache-2.0
"""What a credential may be used for: it narrows what policy permits its subject, and never widens it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`operations` and `models` are exact names, sorted. None leaves that measure to policy; empty permits nothing.

    `models` says nothing of operations that name no model, such as `models.list`.
    """

    operations: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None

    def permits_operation(self, operation: str) -> bool:
        return self.operations is None or operation in self.operations

    def permits_model(self, model: str) -> bool:
        return self.models is None or model in self.models


UNSCOPED: Final = Scope()
