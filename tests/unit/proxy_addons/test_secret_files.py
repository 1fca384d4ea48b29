# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.secret_files import read_hex_key, read_secret
from proxy_addons.settings import SettingInvalid


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff", b"x" * 100_000])
def test_a_file_that_is_no_secret_is_refused(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SettingInvalid):
        read_secret(path)


@pytest.mark.parametrize("content", ["ab" * 31, "ab" * 33, "xy" * 32])
def test_a_key_has_exactly_32_bytes(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(SettingInvalid, match="64 hexadecimal digits"):
        read_hex_key(path)
    path.write_text("ab" * 32 + "\n")
    assert read_hex_key(path) == b"\xab" * 32
