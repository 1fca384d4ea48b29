# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the upstreams of a release: one document says it all, so that there is one order."""

from collections.abc import Iterator, Sequence

from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument, UpstreamsSpec


def check_upstreams(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    """Give every upstreams policy beyond the first, and what an earlier entry takes whole."""
    found = [document for document in documents if isinstance(document.spec, UpstreamsSpec)]
    for document in found[1:]:
        message = f"{found[0].places.at('/kind').file} has the release's upstreams."
        fix = "Put them into one document: their order decides."
        yield Diagnostic(code="duplicate-upstreams", at=document.places.at("/kind"), message=message, fix=fix)
    for document in found:
        if isinstance(document.spec, UpstreamsSpec):
            yield from _taken(document, document.spec)


def _taken(document: PolicyDocument, spec: UpstreamsSpec) -> Iterator[Diagnostic]:
    """Give each pair of operation and model that an earlier entry has as well: it would never be asked."""
    seen: dict[tuple[str, str], str] = {}
    for number, rule in enumerate(spec.upstreams):
        for pair in ((operation, model) for operation in rule.operations or ("",) for model in rule.models or ("",)):
            if pair in seen:
                at = document.places.at(f"/spec/upstreams/{number}")
                message = f"{seen[pair]!r} takes {' '.join(filter(None, pair))!r} before it."
                yield Diagnostic(code="upstream-shadowed", at=at, message=message, fix="Remove it from one of them.")
            seen.setdefault(pair, rule.name)
