# SPDX-License-Identifier: Apache-2.0
"""Where a node's prompt screen is: an origin, reached as an upstream is, or a Unix socket."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proxy_addons.environment import Environment, SettingInvalid
from proxy_addons.upstreams_file import UpstreamSettings

_UNIX: Final = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSettings:
    """`socket` is None where the screen is reached at the URL of `origin`."""

    origin: UpstreamSettings
    socket: Path | None = None


def read_screen(read: Environment) -> ScreenSettings | None:
    """Return where the screen is, None where there is none. Raises SettingInvalid."""
    url = read.text("SCREEN_URL", "")
    files = {
        "CA": read.optional_file("SCREEN_CA_FILE"),
        "CERT": read.optional_file("SCREEN_CERT_FILE"),
        "KEY": read.optional_file("SCREEN_KEY_FILE"),
        "API_KEY": read.optional_file("SCREEN_API_KEY_FILE"),
    }
    if not url:
        for name, file in files.items():
            if file is not None:
                raise SettingInvalid(f"GATEHOUSE_SCREEN_{name}_FILE", "means nothing without GATEHOUSE_SCREEN_URL")
        return None
    if (files["CERT"] is None) != (files["KEY"] is None):
        raise SettingInvalid("GATEHOUSE_SCREEN_CERT_FILE", "set it together with GATEHOUSE_SCREEN_KEY_FILE")
    socket = Path(url.removeprefix(_UNIX)) if url.startswith(_UNIX) else None
    if socket is not None and not socket.is_absolute():
        raise SettingInvalid("GATEHOUSE_SCREEN_URL", "must be an origin, or unix: and an absolute path")
    origin = UpstreamSettings(
        # Whoever listens on a socket is asked for a host all the same.
        url="http://screen" if socket is not None else read.origin("SCREEN_URL"),
        ca_file=files["CA"],
        cert_file=files["CERT"],
        key_file=files["KEY"],
        api_key_file=files["API_KEY"],
    )
    return ScreenSettings(origin=origin, socket=socket)
