# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from inference.settings import SettingsWrong, TlsFiles, require_protection, tls_files

TLS = TlsFiles(certificate=Path("c"), key=Path("k"), client_ca=None)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.8.8"])
def test_clear_text_is_served_on_loopback_when_asked_for(host):
    require_protection(tls=None, host=host, insecure_loopback=True)


@pytest.mark.parametrize(
    ("host", "insecure_loopback"),
    [
        pytest.param("127.0.0.1", False, id="not-asked-for"),
        pytest.param("0.0.0.0", True, id="all-addresses"),
        pytest.param("192.0.2.1", True, id="a-public-address"),
        pytest.param("localhost", True, id="a-name"),
    ],
)
def test_clear_text_is_refused(host, insecure_loopback):
    with pytest.raises(SettingsWrong):
        require_protection(tls=None, host=host, insecure_loopback=insecure_loopback)
    require_protection(tls=TLS, host=host, insecure_loopback=insecure_loopback)


def test_half_of_tls_is_refused(tmp_path):
    file = tmp_path / "f.pem"
    file.touch()
    for files in ((file, None, None), (None, file, None), (None, None, file), (file, file, tmp_path / "none")):
        certificate, key, client_ca = files
        with pytest.raises(SettingsWrong):
            tls_files(certificate=certificate, key=key, client_ca=client_ca)
    assert tls_files(certificate=None, key=None, client_ca=None) is None
