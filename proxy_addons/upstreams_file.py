# SPDX-License-Identifier: Apache-2.0
"""Reads the file by which a node's operator names further upstreams: origins and files with secrets, never policy.

The file is JSON: `{"NAME": {"url": ORIGIN, "ca_file": PATH, "cert_file": PATH, "key_file": PATH, "token_file": PATH}}`.
Paths are relative to the file. All but `url` may be left out. `default` is what GATEHOUSE_UPSTREAM_URL says.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

# As `policies.contracts.upstreams` has it; settings are read where no policy is.
DEFAULT: Final = "default"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 64
_FILES: Final = ("ca_file", "cert_file", "key_file", "token_file")
_MEMBERS: Final = frozenset({"url", *_FILES})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """The inference server: its origin, whom to trust there, and what to show it."""

    url: str
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    api_key_file: Path | None


def read_upstreams(path: Path | None) -> dict[str, UpstreamSettings]:
    """Return the upstreams of the file by name.

    Raises ValueError for what is no such file; the text says where, and has no secret. None: no file, no upstreams.
    """
    if path is None:
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as exc:
        raise ValueError(f"cannot be read as JSON ({type(exc).__name__})") from exc
    if not isinstance(given, dict):
        raise ValueError("must be an object with an entry for each upstream")  # noqa: TRY004  # one type for the file
    return {name: _upstream(name, entry, path.parent) for name, entry in given.items()}


def _upstream(name: str, entry: Any, folder: Path) -> UpstreamSettings:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f"{name!r} is no name: lower-case words joined by '-', at most {_LONGEST_NAME} characters")
    if name == DEFAULT:
        raise ValueError(f"{DEFAULT!r} is what GATEHOUSE_UPSTREAM_URL says")
    if not isinstance(entry, dict) or not entry.keys() <= _MEMBERS or not isinstance(entry.get("url"), str):
        raise ValueError(f"{name} must have a url, and of {', '.join(_FILES)} what it needs, and nothing else")
    _check_url(name, entry["url"])
    if ("cert_file" in entry) != ("key_file" in entry):
        raise ValueError(f"{name} has one of cert_file and key_file; it needs both or neither")
    ca, cert, key, token = (_file(name, member, entry, folder) for member in _FILES)
    return UpstreamSettings(url=entry["url"], ca_file=ca, cert_file=cert, key_file=key, api_key_file=token)


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{name} has a url that is no origin such as https://inference.example:8443")


def _file(name: str, member: str, entry: Mapping[str, Any], folder: Path) -> Path | None:
    given = entry.get(member)
    if given is None and member not in entry:
        return None
    if not isinstance(given, str) or not given:
        raise ValueError(f"{member} of {name} is no path")
    path = folder / given
    if not path.is_file():
        raise ValueError(f"{member} of {name} is no file")
    return path


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("has a key twice")
    return dict(pairs)
