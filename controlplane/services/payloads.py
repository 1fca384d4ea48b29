# SPDX-License-Identifier: Apache-2.0
"""The keys that payloads are sealed under: checked at start, exchanged in service."""

from dataclasses import dataclass
from typing import Final

from controlplane.identifiers import Clock
from controlplane.services.admin_log import note
from controlplane.services.errors import StoreUnavailable
from controlplane.services.model import DEFAULT_TENANT, Principal, Role
from controlplane.services.ports import Store

# Who holds the key file and the database: `python -m controlplane rewrap` has no caller with a token.
_OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadKeys:
    store: Store
    clock: Clock

    def check(self) -> None:
        """Raise StoreUnavailable unless the key file has every key that payloads need."""
        with self.store.read() as session:
            unknown = session.payloads.unknown_keys()
        if unknown:
            raise StoreUnavailable(
                f"{unknown} payload keys are wrapped under a key that GATEHOUSE_PAYLOAD_KEY_FILE does not hold: "
                "put that key back, on a line of its own after the current one"
            )

    def rewrap(self) -> int:
        """Wrap every payload key under the first key of the key file, and return how many were under another."""
        with self.store.write() as session:
            count = session.payloads.rewrap()
            if count:
                operator = Principal(
                    tenant=DEFAULT_TENANT, id=_OPERATOR, name=_OPERATOR, role=Role.ADMIN, created_at=self.clock()
                )
                note(session, operator, self.clock, action="payload_keys_rewrapped", target="payload-keys", count=count)
        return count
