# SPDX-License-Identifier: Apache-2.0
"""The rules of environments (`controlplane.services.change_ports.RulesOfEnvironments`)."""

import json

from sqlalchemy import Connection, insert, select, update

from controlplane.services.environment_rules import UNSET, EnvironmentRules, KeptRules
from controlplane.store.change_tables import environment_rules as table


class SqlEnvironmentRules:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, tenant: str, environment: str) -> EnvironmentRules:
        return self.kept(tenant, environment).rules

    def kept(self, tenant: str, environment: str) -> KeptRules:
        query = select(table).where(table.c.tenant == tenant, table.c.environment == environment)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return KeptRules(tenant=tenant, environment=environment, version=0, rules=UNSET)
        return KeptRules(
            tenant=tenant,
            environment=environment,
            version=row.version,
            rules=EnvironmentRules.from_json(json.loads(row.rules)),
            set_by=row.set_by,
            set_at=row.set_at,
        )

    def put(self, kept: KeptRules) -> None:
        values = {
            "version": kept.version,
            "rules": json.dumps(kept.rules.to_json()),
            "set_by": kept.set_by,
            "set_at": kept.set_at,
        }
        one = (table.c.tenant == kept.tenant, table.c.environment == kept.environment)
        if self._connection.execute(update(table).where(*one).values(values)).rowcount == 0:
            key = {"tenant": kept.tenant, "environment": kept.environment}
            self._connection.execute(insert(table).values(key | values))
