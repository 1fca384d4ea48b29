# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.clients.screen_client import NoScreen, ScreenClient
from proxy_addons.screen_settings import ScreenSettings
from proxy_addons.settings import SettingInvalid
from proxy_addons.upstreams_file import UpstreamSettings
from proxy_addons.worker_screen import open_screen


def settings(**changes):
    members = {"url": "https://screen.example", "ca_file": None, "cert_file": None, "key_file": None}
    return ScreenSettings(origin=UpstreamSettings(**members | {"api_key_file": None} | changes))


async def test_there_is_one_where_the_settings_name_one():
    screen = open_screen(settings())
    assert isinstance(screen, ScreenClient)
    await screen.close()
    assert isinstance(open_screen(None), NoScreen)


async def test_a_file_that_holds_no_certificates_is_told(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("none")
    with pytest.raises(SettingInvalid, match="GATEHOUSE_SCREEN_URL"):
        open_screen(settings(ca_file=file))
