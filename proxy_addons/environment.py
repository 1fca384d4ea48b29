# SPDX-License-Identifier: Apache-2.0
"""Reads single environment variables of a node: strictly, and each error names its variable and the fix."""

import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

PREFIX: Final = "GATEHOUSE_"
# What a node id may hold: it becomes part of a URL path and of every record's source.
_ID_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "._-")
_LONGEST_ID: Final = 128
_LARGEST_PORT: Final = 65535
_HOST: Final = re.compile(r"(?:[a-z0-9_][a-z0-9_.-]{0,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


class SettingInvalid(Exception):
    """A variable that is missing or wrong. The text names it and the fix, and never holds a secret."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable


def is_identifier(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_ID and _ID_CHARACTERS.issuperset(text) and text not in {".", ".."}


class Environment:
    """Reads single variables. Each reader raises SettingInvalid, with the variable's name and what to do."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(PREFIX + name, "")
        if value:
            return value
        if default is None:
            raise SettingInvalid(PREFIX + name, "is not set; docs/reference/proxy-settings.md says what it holds")
        return default

    def identifier(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if not is_identifier(value):
            raise SettingInvalid(PREFIX + name, "must be 1 to 128 letters, digits, '.', '_' or '-'")
        return value

    def integer(self, name: str, default: int | None, *, least: int, most: int) -> int:
        value = self.text(name, None if default is None else str(default))
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise SettingInvalid(PREFIX + name, f"must be a whole number from {least} to {most}")
        return int(value)

    def port(self, name: str) -> int:
        return self.integer(name, None, least=1, most=_LARGEST_PORT)

    def origin(self, name: str) -> str:
        """Read `http(s)://host[:port]`: no path, no user, no query, since each would be silently ignored or leaked."""
        value = self.text(name).removesuffix("/")
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018  # the property raises ValueError for a port that is none
        except ValueError:
            raise SettingInvalid(PREFIX + name, "is not a URL") from None
        bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
            raise SettingInvalid(PREFIX + name, "must be an origin such as https://inference.example:8443")
        return value

    def optional_base_url(self, name: str) -> str | None:
        """Read `http(s)://host[:port][/path]`, to which paths are appended; None where it is not set."""
        value = self.text(name, "").rstrip("/")
        if not value:
            return None
        try:
            parts = urlsplit(value)
            bare = parts.port != 0 and not (parts.query or parts.fragment or "@" in parts.netloc)
        except ValueError:
            raise SettingInvalid(PREFIX + name, "is not a URL") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not bare:
            raise SettingInvalid(PREFIX + name, "must be a URL such as http://collector.example:4318")
        return value

    def hosts(self, name: str) -> frozenset[str]:
        """Read host names, each with a port or without; none where it is not set."""
        names = [each.strip().lower() for each in self.text(name, "").split(",") if each.strip()]
        if not all(_HOST.fullmatch(each) for each in names):
            raise SettingInvalid(PREFIX + name, "must be host names such as gateway.example,10.0.0.7:8443")
        return frozenset(names)

    def file(self, name: str) -> Path:
        path = Path(self.text(name))
        if not path.is_file():
            raise SettingInvalid(PREFIX + name, "names no readable file")
        return path

    def optional_file(self, name: str) -> Path | None:
        return self.file(name) if self._variables.get(PREFIX + name) else None

    def choice(self, name: str, default: str, of: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in of:
            raise SettingInvalid(PREFIX + name, f"must be one of {', '.join(of)}")
        return value
