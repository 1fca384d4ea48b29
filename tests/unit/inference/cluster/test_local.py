# SPDX-License-Identifier: Apache-2.0
"""The folder and the environment of a local cluster."""

import pytest

from inference.cluster.local import LocalFolder, local_environment, quiet_environment


@pytest.fixture
def folder():
    made = LocalFolder()
    yield made
    made.remove()


def test_only_its_owner_may_enter_and_read(folder):
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.token.stat().st_mode & 0o777 == 0o600


def test_a_unix_socket_below_it_has_a_path_that_fits(folder):
    assert len(f"{folder.path}/ray/session_2026-11-22_03-04-16_874748_4194304/sockets/plasma_store") <= 107


def test_each_has_a_token_of_its_own_that_cannot_be_guessed(folder):
    other = LocalFolder()
    try:
        assert len(folder.token.read_text()) == 64
        assert folder.token.read_text() != other.token.read_text()
    finally:
        other.remove()


def test_nothing_of_it_is_left(folder):
    (folder.path / "ray").mkdir()
    folder.remove()
    assert not folder.path.exists()


def test_ray_is_told_to_stay_on_the_loopback_address_and_to_let_in_nobody_without_certificate_and_token(folder):
    told = local_environment(token=folder.token, certificates=folder.certificates)
    assert {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder.path / "token"),
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(folder.path / "certificate.pem"),
        "RAY_TLS_SERVER_KEY": str(folder.path / "key.pem"),
        "RAY_TLS_CA_CERT": str(folder.path / "authority.pem"),
    } == told


def test_ray_is_told_to_send_no_statistics():
    assert quiet_environment()["RAY_USAGE_STATS_ENABLED"] == "0"
