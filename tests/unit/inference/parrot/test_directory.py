# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

import pytest

from inference.parrot.directory import build_parrot, is_complete
from tests.conftest import ROOT


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_another_process_builds_the_same_bytes(parrot_dir, tmp_path):
    command = [sys.executable, "-m", "inference", "build-parrot", str(tmp_path / "again")]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    assert contents(parrot_dir) == contents(tmp_path / "again")


def test_a_complete_directory_is_left_alone_without_importing_torch(parrot_dir):
    check = (
        "import sys; from pathlib import Path; from inference.parrot.directory import build_parrot;"
        f"built = build_parrot(Path({str(parrot_dir)!r})); sys.exit(built or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param("model.safetensors", lambda old: old[:-1], id="weights-cut-short"),
        pytest.param("config.json", lambda old: old + b" ", id="config-changed"),
        pytest.param("parrot.json", lambda _: b"[]", id="stamp-of-another-shape"),
        pytest.param(
            "parrot.json", lambda old: old.replace(b'"recipe": "sha256:', b'"recipe": "sha256:0'), id="older-recipe"
        ),
        pytest.param("tokenizer.json", None, id="file-missing"),
        pytest.param("parrot.json", None, id="killed-before-the-stamp"),
    ],
)
def test_a_damaged_directory_is_built_anew(parrot_dir, tmp_path, name, damage):
    want = contents(parrot_dir)
    for file, content in want.items():
        (tmp_path / file).write_bytes(content)
    if damage is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(damage(want[name]))
    assert not is_complete(tmp_path)
    assert build_parrot(tmp_path)
    assert want == contents(tmp_path)
