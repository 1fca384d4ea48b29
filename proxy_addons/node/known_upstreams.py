# SPDX-License-Identifier: Apache-2.0
"""Whether a node has every upstream that a snapshot sends requests to."""

from collections.abc import Mapping

from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.upstreams import DEFAULT
from policies.evaluation.upstreams import upstreams_named


class UpstreamUnknown(Exception):
    """A snapshot sends requests to an upstream that this node's operator did not name."""


def check_upstreams(snapshot: PolicySnapshot, known: Mapping[str, object]) -> None:
    """Return if `snapshot` names no upstream but those `known` and the default. Raises UpstreamUnknown."""
    missing = upstreams_named(snapshot) - known.keys() - {DEFAULT}
    if missing:
        raise UpstreamUnknown(f"this node has no upstream {', '.join(sorted(missing))}: see GATEHOUSE_UPSTREAMS_FILE")
