# SPDX-License-Identifier: Apache-2.0
"""From the documents of a release to one snapshot, or to everything that is wrong with them together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from policies.compiler.checks import check_each, check_together
from policies.compiler.embedded_check import check_embedded, may_judge_calls
from policies.compiler.opa_check import CheckedGuards, check_with_opa
from policies.contracts.errors import Diagnostic, PolicyRejected
from policies.contracts.identity import IdentityPolicy
from policies.contracts.prompts import PromptsPolicy
from policies.contracts.recording import LoggingPolicy
from policies.contracts.screening import ScreeningPolicy
from policies.contracts.snapshot import AccessPolicy, GuardPolicy, LimitPolicy, PolicySnapshot, RedactionPolicy
from policies.contracts.tools import ToolsPolicy
from policies.contracts.upstreams import UpstreamsPolicy
from policies.detectors.catalogue import Named
from policies.detectors.registry import DETECTORS
from policies.document.canaries import canaries_of
from policies.document.loader import read_documents
from policies.document.model import (
    AccessSpec,
    GuardSpec,
    IdentitySpec,
    LimitsSpec,
    LoggingSpec,
    PolicyDocument,
    PromptsSpec,
    RedactionSpec,
    RoutesSpec,
    ScreeningSpec,
    ToolsSpec,
    UpstreamsSpec,
)

OPA_ONLY: Final = frozenset({"opa"})


def compile_release(
    documents: Sequence[PolicyDocument],
    *,
    tenant: str,
    environment: str,
    opa_binary: str | None,
    engines: Collection[str] = OPA_ONLY,
    detectors: Iterable[Named] = DETECTORS,
) -> PolicySnapshot:
    """Return the snapshot of `documents`, whatever their order. Raises PolicyRejected with all that is wrong.

    Rego is checked with OPA where there is a binary. `engines` are those the release must run on, `opa` and `embedded`;
    the embedded engine checks it as well where it is one of them, or where there is no OPA. It gives no syntax tree:
    without OPA, no guard's answer is marked as one that may be reused.
    """
    ordered = sorted(documents, key=lambda document: document.id)
    checked = _check_rego(ordered, opa_binary=opa_binary, engines=engines)
    _refuse([*check_together(ordered, detectors), *checked.problems])
    return _snapshot(ordered, tenant=tenant, environment=environment, checked=checked)


def check_documents(
    documents: Sequence[PolicyDocument],
    *,
    opa_binary: str | None,
    engines: Collection[str] = OPA_ONLY,
    detectors: Iterable[Named] = DETECTORS,
) -> None:
    """Raise PolicyRejected with all that would be wrong with each of `documents` in any release."""
    _refuse(_problems_of_each(documents, opa_binary=opa_binary, engines=engines, detectors=detectors))


def check_files(
    files: Mapping[str, bytes],
    *,
    opa_binary: str | None,
    engines: Collection[str] = OPA_ONLY,
    detectors: Iterable[Named] = DETECTORS,
) -> tuple[PolicyDocument, ...]:
    """Return the documents of `files`. Raises PolicyRejected with all that would be wrong with each in any release.

    A file that cannot be read hides nothing of what is wrong with the others, their Rego included.
    """
    loaded = read_documents(files)
    found = _problems_of_each(loaded.documents, opa_binary=opa_binary, engines=engines, detectors=detectors)
    _refuse([*loaded.problems, *found])
    return loaded.documents


def compile_files(
    files: Mapping[str, bytes],
    *,
    tenant: str,
    environment: str,
    opa_binary: str | None,
    engines: Collection[str] = OPA_ONLY,
) -> tuple[tuple[PolicyDocument, ...], PolicySnapshot]:
    """Return the documents of `files` and the release they make. Raises PolicyRejected with all that is wrong.

    Where a file cannot be read, nothing is said of what holds between documents: it may be what the others lack.
    """
    loaded = read_documents(files)
    if loaded.problems:
        found = _problems_of_each(loaded.documents, opa_binary=opa_binary, engines=engines, detectors=DETECTORS)
        _refuse([*loaded.problems, *found])
    snapshot = compile_release(
        loaded.documents, tenant=tenant, environment=environment, opa_binary=opa_binary, engines=engines
    )
    return loaded.documents, snapshot


def assembled(documents: Sequence[PolicyDocument]) -> PolicySnapshot:
    """Return what `documents`, which need not make a release, say together: unchecked, and not to be put to work."""
    ordered = sorted(documents, key=lambda document: document.id)
    return _snapshot(ordered, tenant="", environment="", checked=CheckedGuards())


def compile_redactions(
    documents: Sequence[PolicyDocument], *, detectors: Iterable[Named] = DETECTORS
) -> tuple[RedactionPolicy, ...]:
    """Return the redaction policies among `documents`, which need not make a release, in the order of a release.

    Raises PolicyRejected with all that would be wrong with each of them in any release.
    """
    ordered = sorted(
        (each for each in documents if isinstance(each.spec, RedactionSpec)), key=lambda document: document.id
    )
    _refuse(check_each(ordered, detectors))
    return _redactions(ordered)


def _problems_of_each(
    documents: Sequence[PolicyDocument],
    *,
    opa_binary: str | None,
    engines: Collection[str],
    detectors: Iterable[Named],
) -> list[Diagnostic]:
    checked = _check_rego(documents, opa_binary=opa_binary, engines=engines)
    return [*check_each(documents, detectors), *checked.problems]


def _check_rego(
    documents: Sequence[PolicyDocument],
    *,
    opa_binary: str | None,
    engines: Collection[str],
) -> CheckedGuards:
    guards = [document for document in documents if isinstance(document.spec, GuardSpec)]
    checked = check_with_opa(opa_binary, guards) if opa_binary is not None and guards else CheckedGuards()
    if opa_binary is None or "embedded" in engines:
        checked.problems.extend(check_embedded(guards))
    if opa_binary is None:
        checked.judges.update(may_judge_calls(guards))
    return checked


def _refuse(diagnostics: Sequence[Diagnostic]) -> None:
    if diagnostics:
        unique = dict.fromkeys(diagnostics)
        raise PolicyRejected(sorted(unique, key=lambda each: (each.at.file, each.at.line, each.at.column, each.code)))


def _snapshot(
    documents: Sequence[PolicyDocument],
    *,
    tenant: str,
    environment: str,
    checked: CheckedGuards,
) -> PolicySnapshot:
    specs = [(document, document.spec) for document in documents]
    return PolicySnapshot(
        tenant=tenant,
        environment=environment,
        groups={
            name: tuple(sorted(set(members)))
            for _, spec in specs
            if isinstance(spec, AccessSpec)
            for name, members in spec.groups.items()
        },
        access=tuple(
            AccessPolicy(id=d.id, version=d.version, mode=d.mode, grants=spec.grants)
            for d, spec in specs
            if isinstance(spec, AccessSpec)
        ),
        guards=tuple(
            GuardPolicy(
                id=d.id,
                version=d.version,
                mode=d.mode,
                module=spec.module,
                data=spec.data,
                reasons=spec.reasons,
                reads=checked.reads.get(d.id),
                calls=spec.on_refusal if d.id in checked.judges else None,
            )
            for d, spec in specs
            if isinstance(spec, GuardSpec)
        ),
        routes=tuple(route for _, spec in specs if isinstance(spec, RoutesSpec) for route in spec.routes),
        limits=tuple(
            LimitPolicy(
                id=d.id,
                version=d.version,
                mode=d.mode,
                subjects=spec.subjects,
                max_body_bytes=spec.max_body_bytes,
                rate=spec.rate,
            )
            for d, spec in specs
            if isinstance(spec, LimitsSpec)
        ),
        redactions=_redactions(documents),
        identity=tuple(
            IdentityPolicy(
                id=d.id,
                version=d.version,
                issuers=spec.issuers,
                certificates=spec.certificates,
                on_revocation=spec.on_revocation,
            )
            for d, spec in specs
            if isinstance(spec, IdentitySpec)
        ),
        tools=tuple(
            ToolsPolicy(id=d.id, version=d.version, mode=d.mode, on_refusal=spec.on_refusal, rules=spec.rules)
            for d, spec in specs
            if isinstance(spec, ToolsSpec)
        ),
        prompts=tuple(
            PromptsPolicy(id=d.id, version=d.version, mode=d.mode, prompts=spec.prompts, rules=spec.rules)
            for d, spec in specs
            if isinstance(spec, PromptsSpec)
        ),
        screening=tuple(
            ScreeningPolicy(
                id=d.id, version=d.version, mode=d.mode, rules=spec.rules, classifier=spec.classifier, ask=spec.ask
            )
            for d, spec in specs
            if isinstance(spec, ScreeningSpec)
        ),
        upstreams=tuple(
            UpstreamsPolicy(id=d.id, version=d.version, upstreams=spec.upstreams)
            for d, spec in specs
            if isinstance(spec, UpstreamsSpec)
        ),
        logging=tuple(
            LoggingPolicy(
                id=d.id,
                version=d.version,
                records=spec.records,
                prompts=spec.prompts,
                answers=spec.answers,
                max_bytes=spec.max_bytes,
                operations=spec.operations,
                models=spec.models,
                subjects=spec.subjects,
            )
            for d, spec in specs
            if isinstance(spec, LoggingSpec)
        ),
        canaries=canaries_of(documents),
    )


def _redactions(documents: Sequence[PolicyDocument]) -> tuple[RedactionPolicy, ...]:
    return tuple(
        RedactionPolicy(
            id=d.id,
            version=d.version,
            mode=d.mode,
            operations=spec.operations,
            models=spec.models,
            rules=spec.rules,
            subjects=spec.subjects,
            detectors=spec.detectors,
            literals=spec.literals,
            hold=spec.hold,
            decoding=spec.decoding,
            embeddings=spec.embeddings,
            log_probabilities=spec.log_probabilities,
        )
        for d, spec in ((document, document.spec) for document in documents)
        if isinstance(spec, RedactionSpec)
    )
