# SPDX-License-Identifier: Apache-2.0
import shutil
import stat

import pytest

from proxy_addons.clients.spool_lock import SpoolBusy, SpoolLock


def test_one_at_a_time(tmp_path):
    lock = SpoolLock(tmp_path / "w0")
    assert stat.S_IMODE((tmp_path / "w0").stat().st_mode) == 0o700
    with pytest.raises(SpoolBusy, match="another process"):
        SpoolLock(tmp_path / "w0")
    lock.close()
    SpoolLock(tmp_path / "w0").close()


@pytest.mark.parametrize("deleted", ["lock", "directory"])
def test_what_was_deleted_is_made_and_held_again(tmp_path, deleted):
    lock = SpoolLock(tmp_path / "w0")
    lock.hold_again()
    if deleted == "lock":
        (tmp_path / "w0" / "lock").unlink()
    else:
        shutil.rmtree(tmp_path / "w0")
    lock.hold_again()
    with pytest.raises(SpoolBusy):
        SpoolLock(tmp_path / "w0")
    lock.close()


def test_a_directory_that_somebody_else_took_meanwhile_is_theirs(tmp_path):
    lock = SpoolLock(tmp_path / "w0")
    shutil.rmtree(tmp_path / "w0")
    other = SpoolLock(tmp_path / "w0")
    with pytest.raises(SpoolBusy):
        lock.hold_again()
    other.close()
    lock.close()
