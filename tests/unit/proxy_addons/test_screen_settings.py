# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from proxy_addons.environment import Environment, SettingInvalid
from proxy_addons.screen_settings import read_screen


def read(**variables):
    return read_screen(Environment({f"GATEHOUSE_SCREEN_{name}": str(value) for name, value in variables.items()}))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    return path


def test_without_a_url_there_is_none():
    assert read() is None


def test_an_origin_and_its_files(file):
    screen = read(URL="https://screen.example:8443/", CA_FILE=file, CERT_FILE=file, KEY_FILE=file)
    assert (screen.origin.url, screen.origin.ca_file, screen.socket) == ("https://screen.example:8443", file, None)


def test_a_socket():
    assert read(URL="unix:/run/gatehouse/screen.sock").socket == Path("/run/gatehouse/screen.sock")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param({"CA_FILE"}, "SCREEN_CA_FILE: means nothing", id="a-file-without-a-url"),
        pytest.param({"URL", "CERT_FILE"}, "SCREEN_CERT_FILE: set it together", id="a-certificate-without-its-key"),
    ],
)
def test_files_that_go_with_nothing_are_refused(names, said, file):
    values = {name: "https://screen.example" if name == "URL" else file for name in names}
    with pytest.raises(SettingInvalid, match=said):
        read(**values)


@pytest.mark.parametrize("url", ["unix:screen.sock", "https://screen.example/v1", "ftp://screen.example", "screen"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(SettingInvalid, match="SCREEN_URL"):
        read(URL=url)
