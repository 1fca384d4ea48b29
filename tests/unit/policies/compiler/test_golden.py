# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from policies.compiler.compile import compile_release
from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents

FOLDER = Path(__file__).resolve().parents[3] / "golden" / "compile"


@pytest.mark.parametrize("case", sorted(FOLDER.iterdir()), ids=lambda case: case.name)
def test_compiles_to_what_is_written_down(case, update_golden):
    files = {file.name: file.read_bytes() for file in case.glob("*.yaml")}
    try:
        snapshot = compile_release(load_documents(files), tenant="default", environment="production", opa_binary=None)
    except PolicyRejected as exc:
        name, got = "want-errors.txt", f"{exc}\n"
    else:
        name, got = "want.json", json.dumps(snapshot.to_json(), indent=2, ensure_ascii=False) + "\n"
    if update_golden:
        (case / name).write_text(got, encoding="utf-8")
    assert (case / name).read_text(encoding="utf-8") == got
