# SPDX-License-Identifier: Apache-2.0
"""The files that commands about policies take."""

import click
import pytest

from controlplane.cli.policy_sources import read_files


def test_a_folder_gives_its_documents_and_a_file_itself(tmp_path):
    for name in ("a.yaml", "b/c.yml", "b/d.json", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    names = {name.removeprefix(f"{tmp_path}/") for name in read_files((tmp_path,))}
    assert names == {"a.yaml", "b/c.yml", "b/d.json"}
    assert list(read_files((tmp_path / "e.txt",)).values()) == [b"e.txt"]


def test_a_folder_without_documents_is_an_error_unless_it_may_be(tmp_path):
    with pytest.raises(click.UsageError):
        read_files((tmp_path,))
    assert read_files((tmp_path,), may_be_none=True) == {}
