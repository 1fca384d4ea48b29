# SPDX-License-Identifier: Apache-2.0
"""What a control plane says is not believed where it could do harm here."""

import hashlib

import click
import pytest

from controlplane.cli.policy_changes import Local, Theirs, compared
from controlplane.client import Answer

SOURCE = "kind: access\n"
REVISION = "sha256:" + hashlib.sha256(SOURCE.encode()).hexdigest()


class ClientOf:
    def __init__(self, source: str) -> None:
        self._source = source

    def get(self, _path: str) -> Answer:
        return Answer(body={"source": self._source}, etag="")


def theirs(source: str = SOURCE, policy: str = "a") -> Theirs:
    return Theirs(client=ClientOf(source), revisions={policy: REVISION})


def test_a_source_is_the_one_that_its_revision_names():
    assert theirs().source("a") == SOURCE.encode()
    with pytest.raises(click.ClickException):
        theirs(SOURCE + "#").source("a")


@pytest.mark.parametrize("policy", ["../a", "/etc/passwd", "a.b", ""])
def test_an_id_that_is_none_names_no_file(policy):
    with pytest.raises(click.ClickException):
        theirs().file_name(policy, b"")


@pytest.mark.parametrize(("source", "want"), [(b"kind: a", "a.yaml"), (b'\n{"kind": "a"}', "a.json")])
def test_a_file_is_called_by_its_id_and_form(source, want):
    assert theirs().file_name("a", source) == want


@pytest.mark.parametrize(
    ("local", "remove", "want"),
    [
        ({"a": SOURCE}, False, [("a", "unchanged")]),
        ({"a": "other"}, False, [("a", "revise")]),
        ({}, False, [("a", "kept")]),
        ({}, True, [("a", "remove")]),
        ({"a": SOURCE, "b": SOURCE}, True, [("a", "unchanged"), ("b", "create")]),
    ],
)
def test_each_policy_has_what_becomes_of_it(local, remove, want):
    ours = {name: Local(file=f"{name}.yaml", source=source.encode()) for name, source in local.items()}
    assert [(each.id, each.what) for each in compared(ours, theirs(), remove=remove)] == want


def test_what_goes_to_a_terminal_has_no_escapes():
    ours = {"a": Local(file="a.yaml", source=b"kind: \x1b[31maccess\n")}
    (change,) = compared(ours, theirs(), remove=False)
    assert "\x1b" not in "".join(change.lines(theirs()))
