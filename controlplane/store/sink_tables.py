# SPDX-License-Identifier: Apache-2.0
"""The table of how far sinks were served."""

from sqlalchemy import Table

from controlplane.store.columns import METADATA, count, key, text, time

sink_positions = Table(
    "sink_positions",
    METADATA,
    key("tenant"),
    key("sink"),
    count("next_index"),
    count("lost"),
    text("owner"),
    time("held_until"),
)
