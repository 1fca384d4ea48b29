# SPDX-License-Identifier: Apache-2.0
"""Gives up root once the sockets are bound and the keys are read, before anything of a model is."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

import structlog

from inference.settings import SettingsWrong

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    user_id: int
    group_id: int


def find_account(name: str | None) -> Account | None:
    """The account to become. Refused here are one that is not there, is root, or cannot be become."""
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SettingsWrong(f"--user {name}: there is no such user") from None
    if entry.pw_uid == 0:
        raise SettingsWrong(f"--user {name} is root: name a user without privileges")
    if os.geteuid() not in {0, entry.pw_uid}:
        raise SettingsWrong(f"--user {name}: only root can become another user; start the server as {name}")
    return Account(name=entry.pw_name, user_id=entry.pw_uid, group_id=entry.pw_gid)


def become(account: Account | None) -> None:
    """Become that account for good: with its groups (a GPU's among them), and without a way back."""
    if account is None:
        if os.geteuid() == 0:
            log.warning("runs_as_root", fix="give --user, or start the server as a user without privileges")
        return
    if os.geteuid() == 0:
        os.initgroups(account.name, account.group_id)
        os.setgid(account.group_id)
        os.setuid(account.user_id)  # real, effective and saved
    if os.getresuid() != (account.user_id,) * 3:
        raise SettingsWrong(f"--user {account.name}: the privileges could not be given up")


def require_own_code(account: Account | None) -> None:
    """Refuse an account that cannot read Python or this server: modules are imported later, too."""
    for code in (Path(os.__file__), Path(__file__)):
        if account is not None and not os.access(code, os.R_OK):
            raise SettingsWrong(
                f"--user {account.name} cannot read {code.parent}: install Python and the server where that user can"
            )
