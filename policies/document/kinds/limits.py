# SPDX-License-Identifier: Apache-2.0
"""`limits`: the size of a body, and requests in a time."""

from policies.contracts.snapshot import Rate
from policies.document import forms
from policies.document.model import LimitsSpec
from policies.document.reader import Members

MAX_BODY_BYTES = 67_108_864
MAX_REQUESTS = 1_000_000
MAX_PER_S = 86_400


def read_limits(document: Members, _id: str) -> LimitsSpec:
    """Return the `spec` of a limits policy."""
    spec = document.object("spec", known=("subjects", "max_body_bytes", "rate"), required=("subjects",))
    if spec is None:
        return LimitsSpec(subjects=(), max_body_bytes=None, rate=None)
    if "max_body_bytes" not in spec and "rate" not in spec:
        document.notes.add("limits-nothing", spec.node.at, "Nothing is limited.", "Add max_body_bytes or rate.")
    return LimitsSpec(
        subjects=spec.texts("subjects", forms.SUBJECT, at_least=1),
        max_body_bytes=spec.integer("max_body_bytes", low=1, high=MAX_BODY_BYTES),
        rate=_rate(spec),
    )


def _rate(spec: Members) -> Rate | None:
    rate = spec.object("rate", known=("requests", "per_s"), required=("requests", "per_s"))
    if rate is None:
        return None
    return Rate(
        requests=rate.integer("requests", low=1, high=MAX_REQUESTS) or 0,
        per_s=rate.integer("per_s", low=1, high=MAX_PER_S) or 0,
    )
