# SPDX-License-Identifier: Apache-2.0
"""`upstreams`: which requests go to which inference server, by the names that the nodes' operator gave them."""

from typing import Final

from policies.contracts.upstreams import DEFAULT, UpstreamRule
from policies.document import forms
from policies.document.model import UpstreamsSpec
from policies.document.reader import Members

_UPSTREAM: Final = ("name", "operations", "models")


def read_upstreams(document: Members, _id: str) -> UpstreamsSpec:
    """Return the `spec` of an upstreams policy."""
    spec = document.object("spec", known=("upstreams",), required=("upstreams",))
    if spec is None:
        return UpstreamsSpec(upstreams=())
    entries = spec.objects("upstreams", known=_UPSTREAM, required=("name",), at_least=1)
    rules = tuple(map(_rule, entries))
    earlier: set[str] = set()
    for entry, rule in zip(entries, rules, strict=True):
        if rule.name and rule.name in earlier:
            fix = "Name its models and operations in one entry."
            entry.notes.add("duplicate-id", entry.at("name"), f"There is {rule.name!r} already.", fix)
        earlier.add(rule.name)
    return UpstreamsSpec(upstreams=rules)


def _rule(entry: Members) -> UpstreamRule:
    rule = UpstreamRule(
        name=entry.text("name", forms.ID),
        operations=entry.texts("operations", forms.OPERATION),
        models=entry.texts("models", forms.MODEL),
    )
    if not rule.operations and not rule.models:
        message = f"The entry takes every request; what nothing takes goes to {DEFAULT!r}."
        entry.notes.add("member-missing", entry.node.at, message, "Add models or operations.")
    return rule
