# SPDX-License-Identifier: Apache-2.0
"""Lints are told with the place in the file."""

from datetime import UTC, datetime

from controlplane.services.lints import lints_of
from policies.document.loader import load_documents
from tests.control_planes import ACCESS, ROUTES

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_lint_has_its_place():
    wide = ACCESS.replace("[group:staff]", '[group:staff, "*"]')
    files = {"b.yaml": wide.encode(), "a.yaml": ROUTES.encode()}
    (told,) = lints_of(load_documents(files), at=NOW)
    assert (told.code, told.at.file, told.at.line, told.at.pointer) == (
        "wider-than-its-group",
        "b.yaml",
        8,
        "/spec/grants/0/subjects",
    )


def test_two_of_one_id_are_not_its_business():
    documents = load_documents({"a.yaml": ACCESS.encode(), "b.yaml": ACCESS.encode()})
    assert isinstance(lints_of(documents, at=NOW), tuple)
