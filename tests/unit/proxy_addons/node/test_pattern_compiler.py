# SPDX-License-Identifier: Apache-2.0
"""The compiler of patterns as a process: what it is given on its standard input is in the folder when it ends."""

import os
import subprocess
import sys
from pathlib import Path

from policies.scanning.kept import KeptDatabases
from policies.scanning.source import Source

SOURCES = [Source(expressions=(expression,), numbers=(0,), flags=(0,)) for expression in (b"abc", b"d[ef]")]
CANNOT = 65


def compiled(folder: Path, *sources: Source, node_pid: int | None = None) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "proxy_addons.node.pattern_compiler"]
    return subprocess.run(
        [*program, "--folder", str(folder), "--node-pid", str(node_pid or os.getpid())],
        input="".join(source.to_json() + "\n" for source in sources),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_each_source_is_compiled_into_the_folder(tmp_path):
    assert compiled(tmp_path / "patterns", *SOURCES).returncode == 0
    kept = KeptDatabases(tmp_path / "patterns", compiles=False)
    assert [kept.of(source) for source in SOURCES] == [source.compiled() for source in SOURCES]


def test_what_hyperscan_does_not_take_is_said(tmp_path):
    cannot = Source(expressions=(b"(",), numbers=(0,), flags=(0,))
    ended = compiled(tmp_path / "patterns", *SOURCES, cannot)
    assert (ended.returncode, ended.stderr.count("\n")) == (CANNOT, 1)


def test_without_its_node_it_does_nothing(tmp_path):
    assert compiled(tmp_path / "patterns", *SOURCES, node_pid=1).returncode not in {0, CANNOT}
    assert not (tmp_path / "patterns").exists()
