# SPDX-License-Identifier: Apache-2.0
"""From files to policy documents, or to everything that is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Mode
from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.document import forms
from policies.document.kinds import KINDS
from policies.document.model import Places, PolicyDocument
from policies.document.reader import Members, Notes
from policies.document.tests import read_tests
from policies.document.tree import Array, Node, Object, Scalar, read_tree

_MEMBERS: Final = ("kind", "id", "version", "mode", "description", "spec", "tests")
# What may be asked for, who may be known and what is kept of it: none can be tried without being in force. Tests decide
# nothing.
WITHOUT_MODE: Final = frozenset({"routes", "identity", "logging", "upstreams", "tests"})
_REQUIRED: Final = ("kind", "id", "version", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The documents of the files that could be read, ordered by file name, and all that is wrong with the others."""

    documents: tuple[PolicyDocument, ...]
    problems: tuple[Diagnostic, ...]


def read_documents(files: Mapping[str, bytes]) -> Loaded:
    """Read each of `files` (name to content) by itself. Each file has one document, in YAML or JSON."""
    documents: list[PolicyDocument] = []
    problems: list[Diagnostic] = []
    for name in sorted(files):
        try:
            documents.append(_load(name, files[name]))
        except PolicyRejected as exc:
            problems += exc.diagnostics
    return Loaded(documents=tuple(documents), problems=tuple(problems))


def load_documents(files: Mapping[str, bytes]) -> tuple[PolicyDocument, ...]:
    """Return the documents of `files`, ordered by file name. Raises PolicyRejected with all that is wrong with them."""
    loaded = read_documents(files)
    if loaded.problems:
        raise PolicyRejected(list(loaded.problems))
    return loaded.documents


def _load(file: str, raw: bytes) -> PolicyDocument:
    root = read_tree(file, raw)
    notes = Notes()
    if not isinstance(root, Object):
        notes.add("wrong-type", root.at, "A policy document is an object.", "Begin with 'kind: …'.")
        raise PolicyRejected(notes.diagnostics)
    members = Members(root, notes, known=_MEMBERS, required=_REQUIRED)
    document_id = members.text("id", forms.ID)
    kind = _kind(members)
    # Without a kind, nothing can be said about the spec.
    spec = KINDS[kind](members, document_id) if kind else None
    if kind in WITHOUT_MODE and "mode" in members:
        article = "An" if kind in {"identity", "upstreams"} else "A"
        notes.add("unknown-member", members.at("mode"), f"{article} {kind} policy has no mode.", "Remove it.")
    tests = read_tests(members)
    version = members.text("version", forms.VERSION)
    mode = members.choice("mode", Mode, Mode.ENFORCE)
    description = members.text("description", forms.TEXT)
    if notes.diagnostics or spec is None:
        raise PolicyRejected(sorted(notes.diagnostics, key=_order))
    return PolicyDocument(
        kind=kind,
        id=document_id,
        version=version,
        mode=mode,
        description=description,
        spec=spec,
        tests=tests,
        places=_places(root),
    )


def _kind(members: Members) -> str:
    if "kind" not in members:
        return ""
    kind = members.text("kind", forms.LINE)
    if kind and kind not in KINDS:
        members.notes.add(
            "unknown-value", members.at("kind"), "There is no such kind.", f"There are: {', '.join(KINDS)}."
        )
    return kind if kind in KINDS else ""


def _order(diagnostic: Diagnostic) -> tuple[int, int, str]:
    return diagnostic.at.line, diagnostic.at.column, diagnostic.code


def _places(root: Node) -> Places:
    by_pointer: dict[str, Position] = {}
    block_texts: dict[str, Position] = {}
    rest = [root]
    while rest:
        node = rest.pop()
        by_pointer[node.at.pointer] = node.at
        match node:
            case Object():
                rest += node.members.values()
            case Array():
                rest += node.items
            case Scalar(block_at=Position() as start):
                block_texts[node.at.pointer] = start
    return Places(by_pointer, block_texts)
