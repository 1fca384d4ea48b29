# SPDX-License-Identifier: Apache-2.0
"""The tables of change control."""

from sqlalchemy import Table

from controlplane.store.columns import METADATA, count, key, text, time

# `rules` is the object of `EnvironmentRules.to_json`, so that a rule more is no migration.
environment_rules = Table(
    "environment_rules",
    METADATA,
    key("tenant"),
    key("environment"),
    count("version"),
    text("rules"),
    text("set_by"),
    time("set_at"),
)
