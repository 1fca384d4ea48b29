# SPDX-License-Identifier: Apache-2.0
"""Try redaction policies on texts: in force, of the working set, or new ones. Nothing of a text is kept or logged."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.services.documents import rejected
from controlplane.services.errors import Invalid, NotFound, Problem
from controlplane.services.model import DEFAULT_ENVIRONMENT, Principal
from controlplane.services.ports import Session, Store
from policies.compiler.compile import compile_redactions
from policies.contracts.errors import PolicyRejected
from policies.contracts.snapshot import FieldClass, PolicySnapshot, RedactionPolicy
from policies.document.loader import load_documents
from policies.document.model import RedactionSpec
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, Examined, examine, rules_of
from policies.redaction.findings import AnswerBlocked, Tally

# Whoever tries a policy tries it again: what takes long is compiling its patterns, and memory is what it costs to keep.
_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToTest:
    """`pointer` says where the text stands in what was asked."""

    pointer: str
    field: FieldClass
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesToTest:
    """Policies of the working set by id, documents by file name, or what an environment enforces where neither is."""

    ids: Sequence[str] = ()
    documents: Mapping[str, bytes]
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionTest:
    """What became of each text, by its pointer. Where one of them is blocked, all are: they are of one exchange."""

    policies: tuple[RedactionPolicy, ...]
    texts: Mapping[str, Examined]

    @property
    def blocked(self) -> AnswerBlocked | None:
        return next((examined.blocked for examined in self.texts.values() if examined.blocked), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactions:
    store: Store

    def test(
        self, actor: Principal, texts: Sequence[TextToTest], policies: PoliciesToTest, asked: Asked
    ) -> RedactionTest:
        """Return what redaction makes of `texts`, which are of one exchange. Stores nothing.

        Raises Invalid for policies that are none, NotFound where nothing is in force.
        """
        compiled = self._policies(actor, policies)
        active, tally = rules_of(_redaction(compiled), asked), Tally()
        return RedactionTest(
            policies=compiled,
            texts={each.pointer: examine(active, each.text, tally, field=each.field) for each in texts},
        )

    def _policies(self, actor: Principal, policies: PoliciesToTest) -> tuple[RedactionPolicy, ...]:
        if not policies.ids and not policies.documents:
            with self.store.read() as session:
                return _in_force(session, actor, policies.environment or DEFAULT_ENVIRONMENT)
        with self.store.read() as session:
            files = {
                f"policies/{place}": _source(session, actor, policy_id, pointer=f"/policies/{place}")
                for place, policy_id in enumerate(policies.ids)
            }
        return _compiled({**files, **policies.documents})


def _in_force(session: Session, actor: Principal, environment_id: str) -> tuple[RedactionPolicy, ...]:
    environment = session.environments.get(actor.tenant, environment_id)
    if environment is None:
        raise NotFound("environment-unknown", "There is no such environment.")
    activation = session.activations.at_serial(actor.tenant, environment_id, environment.serial)
    release = None if activation is None else session.releases.get(actor.tenant, activation.release)
    if release is None:
        raise NotFound("nothing-published", "Nothing has been published for this environment.")
    return PolicySnapshot.from_json(json.loads(release.snapshot)).redactions


def _source(session: Session, actor: Principal, policy_id: str, *, pointer: str) -> bytes:
    policy = session.policies.get(actor.tenant, policy_id)
    revision = None if policy is None else session.policies.revision(actor.tenant, policy_id, policy.revision)
    if revision is None:
        problem = Problem(code="policy-unknown", message="There is no such policy in the working set.", pointer=pointer)
        raise Invalid("policy-unknown", "A policy to test is not in the working set.", problems=(problem,))
    return revision.source


def _compiled(files: Mapping[str, bytes]) -> tuple[RedactionPolicy, ...]:
    try:
        documents = load_documents(files)
        compiled = compile_redactions(documents)
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc
    others = [document for document in documents if not isinstance(document.spec, RedactionSpec)]
    ids = [policy.id for policy in compiled]
    problems = [
        *(
            Problem(code="not-redaction", message="It redacts nothing.", file=document.places.at("").file)
            for document in others
        ),
        *(
            Problem(code="duplicate-id", message=f"Two of the policies have the id {name!r}.")
            for name in sorted({name for name in ids if ids.count(name) > 1})
        ),
    ]
    if problems:
        raise Invalid("policies-invalid", "These are not redaction policies of one release.", problems=tuple(problems))
    return compiled


@functools.lru_cache(maxsize=_KEPT)
def _redaction(policies: tuple[RedactionPolicy, ...]) -> Redaction:
    return Redaction.of(policies)
