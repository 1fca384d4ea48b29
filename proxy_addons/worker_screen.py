# SPDX-License-Identifier: Apache-2.0
"""The prompt screen of a worker, as its settings say."""

from proxy_addons.clients.screen_client import NoScreen, ScreenClient, ScreenPlace
from proxy_addons.environment import SettingInvalid
from proxy_addons.http1.origin import UpstreamOrigin
from proxy_addons.screen_settings import ScreenSettings


def open_screen(settings: ScreenSettings | None) -> NoScreen | ScreenClient:
    """Return what asks the screen, on the event loop that runs. Raises SettingInvalid for files that it cannot use."""
    if settings is None:
        return NoScreen()
    try:
        origin = UpstreamOrigin.from_settings(settings.origin)
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        problem = f"or one of its files cannot be used ({type(exc).__name__}): docs/reference/proxy-settings.md"
        raise SettingInvalid("GATEHOUSE_SCREEN_URL", problem) from exc
    place = ScreenPlace(origin=settings.origin.url, tls=origin.tls, api_key=origin.api_key, socket=settings.socket)
    return ScreenClient(place)
