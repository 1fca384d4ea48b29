# SPDX-License-Identifier: Apache-2.0
"""Who would know the caller of a request that somebody thinks of, and whether the credential's scope has it.

Facts: nobody shows a credential here. It is said what one would have: an issuer and an audience, a name in a
certificate, a scope. Signatures and times are what an enforcement point looks at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.contracts.decision import Mode, Reason
from policies.contracts.identity import CertificateField, CertificateRule
from policies.contracts.request import EvaluationRequest
from policies.contracts.scope import UNSCOPED, Scope
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.explained import Rule, Said, Stage

_INVALID = Reason(code="credentials-invalid")
_EXCEEDED = Reason(code="credential-scope-exceeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCredential:
    """A token of `issuer`, or a certificate with `name` in its `field`; neither: an API key. `scope` is a key's."""

    issuer: str | None = None
    audience: str | None = None
    field: CertificateField | None = None
    name: str | None = None
    scope: Scope = UNSCOPED


def credential_stages(
    credential: AskedCredential, request: EvaluationRequest, snapshot: PolicySnapshot
) -> Iterator[Stage]:
    """Give the stages that stand before the decision."""
    yield _identity(credential, snapshot)
    yield _scope(credential.scope, request)


def _identity(credential: AskedCredential, snapshot: PolicySnapshot) -> Stage:
    """Return which rules know the caller. A key needs none: it has its subject."""
    if credential.issuer is None and credential.name is None:
        return Stage(name="identity", verdict="pass")
    found = [rule for policy in snapshot.identity for rule in _rules(policy.id, credential, snapshot)]
    said = tuple(
        Said(
            policy=policy.id,
            mode=Mode.ENFORCE,
            outcome="applies",
            rules=rules,
            facts={"on_revocation": policy.on_revocation.value},
        )
        for policy in snapshot.identity
        if (rules := tuple(rule for rule in found if rule.policy == policy.id))
    )
    if said:
        return Stage(name="identity", verdict="pass", said=said)
    return Stage(name="identity", verdict="refuse", reason=_INVALID)


def _rules(policy_id: str, credential: AskedCredential, snapshot: PolicySnapshot) -> Iterator[Rule]:
    for policy in snapshot.identity:
        if policy.id != policy_id:
            continue
        for issuer in policy.issuers:
            fits = credential.audience is None or credential.audience in issuer.audiences
            if credential.issuer == issuer.issuer and fits:
                yield Rule(policy=policy.id, rule=issuer.id, role="vouches")
        for rule in policy.certificates:
            if credential.name is not None and rule.field is credential.field and _names(rule, credential.name):
                yield Rule(policy=policy.id, rule=rule.id, role="vouches")


def _names(rule: CertificateRule, name: str) -> bool:
    if rule.exact is not None:
        return name == rule.exact
    return rule.prefix is not None and name.startswith(rule.prefix) and name != rule.prefix


def _scope(scope: Scope, request: EvaluationRequest) -> Stage:
    names_model = request.resource.type == "model"
    permitted = scope.permits_operation(request.action) and (
        not names_model or scope.permits_model(request.resource.id)
    )
    return Stage(name="scope", verdict="pass" if permitted else "refuse", reason=None if permitted else _EXCEEDED)
