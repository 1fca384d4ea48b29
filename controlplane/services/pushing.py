# SPDX-License-Identifier: Apache-2.0
"""How far the log was pushed to each sink, kept durably (`controlplane.siem`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkPosition:
    """How far a sink was served: everything below `next_index` was delivered or is not wanted, but for `lost`."""

    next_index: int
    lost: int = 0
