# SPDX-License-Identifier: Apache-2.0
"""From files to documents, or to everything that is wrong with them."""

from collections.abc import Mapping

from policies.contracts.decision import Mode
from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.document.examples import read_tests
from policies.document.kinds import READERS
from policies.document.model import Kind, PolicyDocument
from policies.document.reader import Reader
from policies.document.tree import read_tree


def load_documents(files: Mapping[str, bytes]) -> tuple[PolicyDocument, ...]:
    """Return the documents in `files` (content by file name), in the order of their ids.

    Raises PolicyRejected with every problem of every file.
    """
    documents: list[PolicyDocument] = []
    diagnostics: list[Diagnostic] = []
    for name in sorted(files):
        try:
            documents.append(load_document(files[name], file=name))
        except PolicyRejected as exc:
            diagnostics += exc.diagnostics
    if diagnostics:
        raise PolicyRejected(diagnostics)
    return tuple(sorted(documents, key=lambda document: (document.id, document.at.file)))


def load_document(raw: bytes, *, file: str) -> PolicyDocument:
    """Return the one document in `raw`. Raises PolicyRejected with all of its problems."""
    reader = Reader()
    start = Position(file=file, line=1, column=1)
    root = reader.members(
        read_tree(raw, file),
        start,
        required=("kind", "id", "version", "spec"),
        optional=("mode", "description", "tests"),
    )
    kind_node, id_node, mode_node = root.get("kind"), root.get("id"), root.get("mode")
    kind = reader.choice(kind_node, Kind, default=Kind.ROUTES, what="a kind")
    policy = reader.identifier(id_node, what="a policy's id")
    mode = reader.choice(mode_node, Mode, default=Mode.ENFORCE, what="a mode")
    if kind is Kind.ROUTES and mode_node is not None:
        reader.problem("unknown-field", mode_node.at, "Routes have no mode.", "Remove 'mode'.")
    if kind_node is None or any(problem.at.pointer == "/kind" for problem in reader.diagnostics):
        # Without a kind nothing is known of the spec; reading it as another kind's would only confuse.
        raise PolicyRejected(reader.diagnostics)
    document = PolicyDocument(
        kind=kind,
        id=policy,
        version=reader.text(root.get("version"), what="'version'", longest=64),
        mode=mode,
        description=reader.text(root.get("description"), what="'description'", empty=True),
        spec=READERS[kind](reader, root.get("spec"), root.at, policy),
        tests=read_tests(reader, root.get("tests")),
        at=root.at,
        id_at=id_node.at if id_node else root.at,
    )
    if reader.diagnostics:
        raise PolicyRejected(reader.diagnostics)
    return document
