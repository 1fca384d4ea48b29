# SPDX-License-Identifier: Apache-2.0
"""`guard`: a Rego module, its data and the reasons it may give. The Rego itself is the compiler's business."""

from policies.contracts.tools import OnRefusal
from policies.document import forms
from policies.document.model import GuardSpec
from policies.document.reader import Members


def read_guard(document: Members, _id: str) -> GuardSpec:
    """Return the `spec` of a guard."""
    spec = document.object("spec", known=("reasons", "data", "module", "on_refusal"), required=("module",))
    if spec is None:
        return GuardSpec(reasons={}, data={}, module="")
    return GuardSpec(
        reasons={code: spec.text_of(node, forms.LINE) for code, node in spec.entries("reasons", forms.REASON)},
        data=spec.json("data"),
        module=spec.text("module", forms.TEXT),
        on_refusal=spec.choice("on_refusal", OnRefusal, OnRefusal.REMOVE),
    )
