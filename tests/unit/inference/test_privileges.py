# SPDX-License-Identifier: Apache-2.0
"""A process of its own gives its privileges up: a test must not give up those of the suite."""

import os
import pwd
import subprocess
import sys

import pytest

from inference.privileges import Account, become, find_account, require_own_code
from inference.settings import SettingsWrong
from tests.conftest import ROOT

DROP = """
import os
from inference.privileges import become, find_account
become(find_account("nobody"))
print(*os.getresuid(), *os.getresgid(), len([group for group in os.getgroups() if group == 0]))
try:
    os.setuid(0)
except PermissionError:
    print("no way back")
"""


def test_root_becomes_the_user_for_good():
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        [sys.executable, "-c", DROP], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if os.geteuid() == 0:
        ids = [str(nobody.pw_uid)] * 3 + [str(nobody.pw_gid)] * 3
        assert done.stdout.splitlines() == [" ".join([*ids, "0"]), "no way back"], done.stderr
    else:
        assert "only root can become another user" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("no-such-user", "no such user", id="nobody-of-that-name"),
        pytest.param("root", "is root", id="root-itself"),
    ],
)
def test_an_account_that_protects_nothing_is_refused(name, text):
    with pytest.raises(SettingsWrong, match=text):
        find_account(name)


def test_without_an_account_nothing_changes():
    before = os.getresuid()
    become(find_account(None))
    assert before == os.getresuid()


def test_an_account_that_cannot_read_the_server_is_refused(monkeypatch):
    account = Account("nobody", 65534, 65534)
    require_own_code(account)
    monkeypatch.setattr(os, "access", lambda *_: False)
    require_own_code(None)
    with pytest.raises(SettingsWrong, match="--user nobody cannot read"):
        require_own_code(account)
