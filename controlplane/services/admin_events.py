# SPDX-License-Identifier: Apache-2.0
"""Read who changed what in the control plane."""

from dataclasses import dataclass

from controlplane.services.model import AdminEvent, Page, Principal
from controlplane.services.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminEvents:
    store: Store

    def page(self, actor: Principal, *, after: int | None, limit: int) -> Page[AdminEvent]:
        with self.store.read() as session:
            return session.admin_events.page(actor.tenant, after=after, limit=limit)
