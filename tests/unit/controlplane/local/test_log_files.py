# SPDX-License-Identifier: Apache-2.0
from controlplane.local.log_files import rotate


def test_a_log_within_its_bound_is_left_alone(tmp_path):
    log = tmp_path / "proxy.log"
    log.write_bytes(b"x" * 10)
    assert not rotate(log, largest_bytes=10)
    assert [path.name for path in tmp_path.iterdir()] == ["proxy.log"]
    assert not rotate(tmp_path / "absent.log")


def test_generations_move_up_and_the_last_one_goes(tmp_path):
    log = tmp_path / "proxy.log"
    for content in (b"first", b"second", b"third", b"fourth"):
        log.write_bytes(content)
        assert rotate(log, largest_bytes=1, generations=2)
    assert log.read_bytes() == b""
    assert (tmp_path / "proxy.log.1").read_bytes() == b"fourth"
    assert (tmp_path / "proxy.log.2").read_bytes() == b"third"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_process_that_has_the_log_open_goes_on_at_its_new_beginning(tmp_path):
    log = tmp_path / "proxy.log"
    with log.open("ab", buffering=0) as part:
        part.write(b"before")
        assert rotate(log, largest_bytes=1)
        part.write(b"after")
    assert log.read_bytes() == b"after"


def test_what_only_its_owner_could_read_stays_so(tmp_path):
    log = tmp_path / "proxy.log"
    log.write_bytes(b"line")
    log.chmod(0o600)
    rotate(log, largest_bytes=1)
    assert (tmp_path / "proxy.log.1").stat().st_mode & 0o777 == 0o600
