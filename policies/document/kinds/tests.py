# SPDX-License-Identifier: Apache-2.0
"""`tests`: a file of tests beside the policy that they are about. It decides nothing and is in no snapshot."""

from policies.document import forms
from policies.document.model import TestsSpec
from policies.document.reader import Members


def read_tests_of(document: Members, _id: str) -> TestsSpec:
    """Return the `spec` of a document of tests."""
    spec = document.object("spec", known=("for",), required=("for",))
    if "tests" not in document:
        document.notes.add("member-missing", document.node.at, "There is no test.", "Add 'tests'.")
    return TestsSpec(policy="" if spec is None else spec.text("for", forms.ID))
