# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from inference.settings import SettingsWrong, TcpListen, TlsFiles, tcp_listen, tls_files

MUTUAL = TlsFiles(certificate=Path("c"), key=Path("k"), client_ca=Path("a"))
ONE_SIDED = TlsFiles(certificate=Path("c"), key=Path("k"), client_ca=None)


def listen(*, host="127.0.0.1", tls=None, client_names=frozenset(), insecure_loopback=False):
    return tcp_listen(host=host, port=1, tls=tls, client_names=client_names, insecure_loopback=insecure_loopback)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.8.8"])
@pytest.mark.parametrize("tls", [None, ONE_SIDED], ids=["clear-text", "no-client-certificates"])
def test_loopback_is_served_without_protection_when_asked_for(host, tls):
    want = TcpListen(host=host, port=1, tls=tls)
    assert want == listen(host=host, tls=tls, insecure_loopback=True)


@pytest.mark.parametrize("tls", [None, ONE_SIDED], ids=["clear-text", "no-client-certificates"])
@pytest.mark.parametrize(
    ("host", "insecure_loopback"),
    [
        pytest.param("127.0.0.1", False, id="not-asked-for"),
        pytest.param("0.0.0.0", True, id="all-addresses"),
        pytest.param("192.0.2.1", True, id="a-public-address"),
        pytest.param("localhost", True, id="a-name"),
    ],
)
def test_whom_anybody_could_reach_is_refused(host, insecure_loopback, tls):
    with pytest.raises(SettingsWrong):
        listen(host=host, tls=tls, insecure_loopback=insecure_loopback)
    assert listen(host=host, tls=MUTUAL, insecure_loopback=insecure_loopback).tls == MUTUAL


def test_names_of_clients_need_their_certificates():
    names = frozenset({"proxy"})
    assert listen(tls=MUTUAL, client_names=names).client_names == names
    for tls in (None, ONE_SIDED):
        with pytest.raises(SettingsWrong, match="--client-name"):
            listen(tls=tls, client_names=names, insecure_loopback=True)


def test_half_of_tls_is_refused(tmp_path):
    file = tmp_path / "f.pem"
    file.touch()
    for files in ((file, None, None), (None, file, None), (None, None, file), (file, file, tmp_path / "none")):
        certificate, key, client_ca = files
        with pytest.raises(SettingsWrong):
            tls_files(certificate=certificate, key=key, client_ca=client_ca)
    assert tls_files(certificate=None, key=None, client_ca=None) is None
