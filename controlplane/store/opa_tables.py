# SPDX-License-Identifier: Apache-2.0
"""The tables of stock OPAs: which decisions they have sent, and what they last said of themselves."""

from sqlalchemy import Index, Table

from controlplane.store.columns import METADATA, count, key, text, time

# What makes a decision that is sent again one. Rows are forgotten after some days (`services/opa_intake.py`).
opa_decisions = Table(
    "opa_decisions",
    METADATA,
    key("tenant"),
    key("instance"),
    key("decision_id"),
    time("received_at"),
    Index(None, "received_at"),
)

opa_instances = Table(
    "opa_instances",
    METADATA,
    key("tenant"),
    key("environment"),
    key("id"),
    text("version"),
    text("bundles"),
    count("dropped"),
    text("reported_by"),
    time("reported_at"),
)
