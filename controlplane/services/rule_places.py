# SPDX-License-Identifier: Apache-2.0
"""Where the rules of a release stand: file, line and column in the sources that it pins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.errors import PolicyRejected, Position
from policies.document.loader import load_documents
from policies.document.model import GuardSpec, IdentitySpec, PolicyDocument
from policies.evaluation.coverage import rules_of

_LONGEST_LINE: Final = 200
_MODULE: Final = "/spec/module"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlaces:
    """Places by policy and rule, and those of the policies themselves; sources are kept by file."""

    rules: Mapping[tuple[str, str], Position]
    policies: Mapping[str, Position]
    lines: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "RulePlaces":
        """Read the places from sources by file name. One that is no document of this release any more has none."""
        documents = [document for name, source in files.items() for document in _loaded(name, source)]
        return cls.of_documents(documents, files)

    @classmethod
    def of_documents(cls, documents: Iterable[PolicyDocument], files: Mapping[str, bytes]) -> "RulePlaces":
        rules: dict[tuple[str, str], Position] = {}
        policies: dict[str, Position] = {}
        for document in documents:
            policies[document.id] = document.places.at("")
            for ref in rules_of(document):
                rules[ref.policy, ref.rule] = _place(document, ref.rule, ref.pointer)
            for rule, pointer in _untested(document):
                rules.setdefault((document.id, rule), document.places.at(pointer))
        lines = {name: source.decode("utf-8", "replace").splitlines() for name, source in files.items()}
        return cls(rules=rules, policies=policies, lines=lines)

    def source(self, policy: str, rule: str = "") -> dict[str, JSON] | None:
        """Return where a rule stands, or its policy where the rule has no place of its own; None where neither does."""
        at = self.rules.get((policy, rule)) or self.policies.get(policy)
        if at is None:
            return None
        lines = self.lines.get(at.file, ())
        text = lines[at.line - 1].strip()[:_LONGEST_LINE] if 0 < at.line <= len(lines) else None
        return {"file": at.file, "line": at.line, "column": at.column, "text": text}


def _loaded(name: str, source: bytes) -> tuple[PolicyDocument, ...]:
    try:
        return load_documents({name: source})
    except PolicyRejected:
        return ()


def _untested(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Give the rules that no test of a document can ask for, and that have a place nevertheless."""
    if isinstance(document.spec, IdentitySpec):
        for number, issuer in enumerate(document.spec.issuers):
            yield issuer.id, f"/spec/issuers/{number}"
        for number, certificate in enumerate(document.spec.certificates):
            yield certificate.id, f"/spec/certificates/{number}"


def _place(document: PolicyDocument, rule: str, pointer: str) -> Position:
    """Return the place of a rule: of a guard's reason the first line of its module that gives it."""
    if isinstance(document.spec, GuardSpec):
        for row, line in enumerate(document.spec.module.splitlines(), start=1):
            named = line.find(f'"{rule}"') if pointer != _MODULE else line.find(rule)
            if named >= 0 and not line.lstrip().startswith("#"):
                return document.places.within(_MODULE, row=row, column=named + 1)
    return document.places.at(pointer)
