# SPDX-License-Identifier: Apache-2.0
"""The file that names the sinks (`GATEHOUSE_SINKS_FILE`, TOML): strict, all mistakes named with their place.

A file of the operator's and not a resource of the API: whoever could add a sink by API could make the control plane
send the log anywhere, and would have to be trusted with the secrets of those that are there.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from controlplane.services.model import DEFAULT_TENANT
from controlplane.services.records import EntryKind

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_MOST_SINKS: Final = 16
_HIGHEST_PORT: Final = 65535


class SinkKind(StrEnum):
    SYSLOG = "syslog"
    HTTP = "http"
    OTLP = "otlp"


class Shape(StrEnum):
    """How an entry is written: as the log holds it, or in the words of a schema that SIEMs know."""

    RECORD = "record"
    OCSF = "ocsf"
    ECS = "ecs"


# What somebody who watches wants to see. Admissions say nothing that the terminal record does not, and heartbeats are
# many; both can be asked for.
DEFAULT_KINDS: Final = frozenset(EntryKind) - {EntryKind.ADMISSION, EntryKind.HEARTBEAT}


class SinksInvalid(Exception):
    """The file cannot be used. The message names each mistake with its place and the fix, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """One receiver. `host` and `port` are of `url`; files are read for each connection, so that they may be renewed."""

    id: str
    kind: SinkKind
    url: str
    host: str
    port: int
    tls: bool
    shape: Shape = Shape.RECORD
    tenant: str = DEFAULT_TENANT
    kinds: frozenset[EntryKind] = DEFAULT_KINDS
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    token_file: Path | None = field(default=None, repr=False)


_MEMBERS: Final = frozenset(
    {"id", "kind", "url", "format", "tenant", "kinds", "ca_file", "certificate_file", "key_file", "token_file"}
)
_SCHEMES: Final = {
    SinkKind.SYSLOG: {"tls": (True, 6514), "tcp": (False, 601)},
    SinkKind.HTTP: {"https": (True, 443), "http": (False, 80)},
    SinkKind.OTLP: {"https": (True, 443), "http": (False, 4318)},
}


def read_sinks(path: Path) -> tuple[Sink, ...]:
    """Return the sinks that the file at `path` names. Raises SinksInvalid."""
    try:
        return parse_sinks(path.read_text("utf-8"))
    except OSError as exc:
        raise SinksInvalid(f"GATEHOUSE_SINKS_FILE names a file that cannot be read ({exc.strerror})") from exc
    except UnicodeDecodeError as exc:
        raise SinksInvalid("GATEHOUSE_SINKS_FILE names a file that is not UTF-8: write it as TOML in UTF-8") from exc


def parse_sinks(text: str) -> tuple[Sink, ...]:
    """Return the sinks of the TOML `text`, whose only members are tables `[[sink]]`. Raises SinksInvalid."""
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SinksInvalid(f"GATEHOUSE_SINKS_FILE is not TOML: {exc}") from exc
    tables = read.get("sink", [])
    problems = [f"{name}: unknown; the file has tables [[sink]] only" for name in sorted(read.keys() - {"sink"})]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SinksInvalid("sink: write each sink as a table [[sink]]")
    if len(tables) > _MOST_SINKS:
        problems.append(f"sink: {len(tables)} sinks, at most {_MOST_SINKS} are served")
    found: list[Sink] = []
    for number, table in enumerate(tables, start=1):
        reader = _Reader(f"sink {number}", table)
        sink = reader.sink()
        problems += reader.problems
        if sink is not None:
            if any(other.id == sink.id for other in found):
                problems.append(
                    f"sink {number}: id: {sink.id!r} is taken; positions are kept by id, so give it another"
                )
            found.append(sink)
    if problems:
        raise SinksInvalid("\n".join(problems))
    return tuple(found)


class _Reader:
    """Reads one table and gathers what is wrong with it."""

    def __init__(self, place: str, table: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._place = place
        self._table = table

    def sink(self) -> Sink | None:
        for name in sorted(self._table.keys() - _MEMBERS):
            self._wrong(name, f"unknown; a sink has {', '.join(sorted(_MEMBERS))}")
        sink_id = self._text("id", required=True)
        if sink_id is not None and _ID.fullmatch(sink_id) is None:
            self._wrong("id", "lower-case letters, digits and dashes, beginning with a letter, at most 63")
        kind = self._one_of("kind", SinkKind, None)
        shape = self._one_of("format", Shape, Shape.RECORD)
        kinds = self._kinds()
        url = self._text("url", required=True)
        where = None if kind is None or url is None else self._where(kind, url)
        files = {name: self._file(name) for name in ("ca_file", "certificate_file", "key_file", "token_file")}
        if (files["certificate_file"] is None) != (files["key_file"] is None):
            self._wrong("key_file", "a client certificate needs both certificate_file and key_file")
        if files["token_file"] is not None and kind is SinkKind.SYSLOG:
            self._wrong("token_file", "syslog knows no tokens: use certificate_file and key_file")
        if where is not None and not where[2] and any(files.values()):
            self._wrong("url", "credentials go over TLS only: use tls:// or https://")
        if self.problems or sink_id is None or kind is None or shape is None or where is None or url is None:
            return None
        host, port, tls = where
        return Sink(
            id=sink_id,
            kind=kind,
            url=url,
            host=host,
            port=port,
            tls=tls,
            shape=shape,
            tenant=self._text("tenant") or DEFAULT_TENANT,
            kinds=kinds,
            ca_file=files["ca_file"],
            certificate_file=files["certificate_file"],
            key_file=files["key_file"],
            token_file=files["token_file"],
        )

    def _where(self, kind: SinkKind, url: str) -> tuple[str, int, bool] | None:
        schemes = _SCHEMES[kind]
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in schemes or not host or parts.username or parts.password or parts.fragment:
            self._wrong("url", f"a URL such as {next(iter(schemes))}://siem.example, without user or fragment")
            return None
        if kind is SinkKind.SYSLOG and (parts.path not in {"", "/"} or parts.query):
            self._wrong("url", "syslog has no path: write tls://HOST:PORT")
            return None
        tls, default_port = schemes[parts.scheme]
        if not tls and not _is_loopback(host):
            self._wrong("url", "without TLS to this machine only: records say who asked what and when")
            return None
        if port is not None and not 0 < port <= _HIGHEST_PORT:
            self._wrong("url", "a port from 1 to 65535")
            return None
        return host, port or default_port, tls

    def _kinds(self) -> frozenset[EntryKind]:
        given = self._table.get("kinds")
        if given is None:
            return DEFAULT_KINDS
        known = {kind.value for kind in EntryKind}
        if not isinstance(given, list) or not given or not all(isinstance(one, str) and one in known for one in given):
            self._wrong("kinds", f"a list of {', '.join(sorted(known))}")
            return DEFAULT_KINDS
        return frozenset(map(EntryKind, given))

    def _one_of(self, name: str, kind: Any, default: Any) -> Any:
        given = self._table.get(name, default)
        if given is None or given not in tuple(kind):
            self._wrong(name, f"one of {', '.join(kind)}")
            return None
        return kind(given)

    def _text(self, name: str, *, required: bool = False) -> str | None:
        given = self._table.get(name)
        if given is None and not required:
            return None
        if not isinstance(given, str) or not given or not given.isprintable():
            self._wrong(name, "a text, which a sink must have" if required else "a text")
            return None
        return given

    def _file(self, name: str) -> Path | None:
        given = self._text(name)
        if given is None:
            return None
        path = Path(given)
        if not path.is_absolute():
            self._wrong(name, "an absolute path")
        elif not path.is_file():
            self._wrong(name, "names no file")
        return path

    def _wrong(self, name: str, what: str) -> None:
        self.problems.append(f"{self._place}: {name}: {what}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
