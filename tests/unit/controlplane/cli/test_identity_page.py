# SPDX-License-Identifier: Apache-2.0
"""`docs/how-to/identity-with-oidc.md`: its documents compile and pass their tests, and its commands print what it shows."""

import re
import shlex
from pathlib import Path

from policies.compiler.compile import compile_release
from policies.document.loader import load_documents
from policies.library import pack

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "how-to" / "identity-with-oidc.md").read_text()
LOGIN, ACCESS = re.findall(r"^```yaml\n(kind: .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FILES = {"login.yaml": LOGIN.encode(), "access.yaml": ACCESS.encode()}


def test_the_documents_go_together(gatehouse, tmp_path):
    compile_release(
        load_documents({**pack("baseline"), **FILES}), tenant="default", environment="production", opa_binary=None
    )
    for name, content in (FILES | pack("baseline")).items():
        (tmp_path / name).write_bytes(content)
    tested = gatehouse("policy", "test", *(tmp_path / name for name in FILES | pack("baseline")))
    assert tested.exit_code == 0, tested.output


def test_the_commands_print_what_is_shown(gatehouse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_bytes(content)
    shown = "".join(re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    steps = [step.split("\n", 1) for step in re.split(r"^\$ gatehouse ", shown, flags=re.MULTILINE)[1:]]
    assert len(steps) == 5
    for command, output in steps:
        printed = re.sub(r"\s+", " ", gatehouse(*shlex.split(command)).output)
        wanted = ".*".join(re.escape(re.sub(r"\s+", " ", piece)) for piece in output.strip().split("…"))
        assert re.search(wanted, printed), (command, printed)


def test_the_rule_for_certificates_is_one():
    [rules] = re.findall(r"^```yaml\n(certificates:.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    load_documents({"login.yaml": (LOGIN + re.sub("^", "  ", rules, flags=re.MULTILINE).rstrip() + "\n").encode()})
