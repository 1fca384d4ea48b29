# SPDX-License-Identifier: Apache-2.0
"""The tables of how environments are run and of how releases are put to work."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer, LargeBinary, Table

from controlplane.store.columns import METADATA, count, key, text, time

# The newest document of each environment; none before it is first asked for. `candidate` is the serial that it names.
environment_documents = Table(
    "environment_documents",
    METADATA,
    key("tenant"),
    key("environment"),
    count("number"),
    text("etag"),
    Column("document", LargeBinary, nullable=False),
    count("candidate", nullable=True),
    ForeignKeyConstraint(["tenant", "environment"], ["environments.tenant", "environments.id"]),
)

# What was asked of each activation, and where it stands. `asked` is JSON; `is_open` is 1 while the conductor has
# something to do for it, so that looking for that costs nothing once there is a long history.
rollouts = Table(
    "rollouts",
    METADATA,
    key("tenant"),
    key("id"),
    text("environment"),
    text("release"),
    text("revision"),
    text("by"),
    time("created_at"),
    text("asked"),
    text("state"),
    count("is_open"),
    count("serial", nullable=True),
    count("previous", nullable=True),
    time("began_at", nullable=True),
    time("in_force_at", nullable=True),
    time("acknowledge_by", nullable=True),
    time("glass_until", nullable=True),
    text("review", nullable=True),
    Index(None, "is_open"),
    Index(None, "tenant", "environment", "serial"),
    ForeignKeyConstraint(["tenant", "release"], ["releases.tenant", "releases.id"]),
)

# The history of each, only ever added to.
rollout_transitions = Table(
    "rollout_transitions",
    METADATA,
    key("tenant"),
    key("rollout"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    time("at"),
    text("state"),
    text("by"),
    text("why"),
)
