# SPDX-License-Identifier: Apache-2.0
"""What its environment tells the control plane, read once at start (`docs/reference/control-plane-settings.md`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from controlplane.audit.note_keys import KeyMalformed, VerifierKey
from controlplane.sealing import KeyRing
from controlplane.services.log_key import LogKey
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from controlplane.services.witnesses import Witness
from controlplane.siem.sinks import Sink, SinksInvalid, read_sinks

_HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_ORIGIN: Final = re.compile(r"https?://[^/?#\s]+")
_COLLECTOR: Final = re.compile(r"https?://[^/?#@\s]+(?:/[^?#@\s]*)?")
_HIGHEST_PORT: Final = 65535
_EXPORT_MAX_BYTES: Final = 10 * 1024**3
_SQLITE: Final = "sqlite:///"
_KEY_ID: Final = "gatehouse-1"


class SettingInvalid(Exception):
    """A variable is missing or wrong; the message names it and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where everything is kept, and what credentials are made with: all that `init` needs."""

    database_url: str = field(repr=False)
    signing_key: bytes = field(repr=False)
    signing_key_id: str
    key_pepper: bytes = field(repr=False)
    pseudonym_key: bytes = field(repr=False)
    payload_keys: KeyRing = field(repr=False)
    rego: RegoEngines
    earlier_signing_key: bytes | None = field(default=None, repr=False)
    earlier_signing_key_id: str = ""
    export_dir: Path | None = None
    export_max_bytes: int = _EXPORT_MAX_BYTES

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises SettingInvalid for the first variable that is missing or wrong."""
        earlier_key, earlier_key_id = _earlier_signing_key(environment)
        return cls(
            database_url=_required(environment, "GATEHOUSE_DATABASE_URL", "Set it to sqlite:///PATH or postgresql://…"),
            signing_key=_file(environment, "GATEHOUSE_SIGNING_KEY_FILE", "an EC P-256 private key in PEM"),
            signing_key_id=environment.get("GATEHOUSE_BUNDLE_KEY_ID", _KEY_ID),
            key_pepper=_key(environment, "GATEHOUSE_KEY_PEPPER_FILE"),
            pseudonym_key=_key(environment, "GATEHOUSE_PSEUDONYM_KEY_FILE"),
            payload_keys=_key_ring(environment, "GATEHOUSE_PAYLOAD_KEY_FILE"),
            rego=RegoEngines(
                nodes=_guard_engine(environment),
                opa_binary=environment.get("GATEHOUSE_OPA_BINARY") or None,
            ),
            earlier_signing_key=earlier_key,
            earlier_signing_key_id=earlier_key_id,
            export_dir=_export_dir(environment),
            export_max_bytes=_bytes("GATEHOUSE_EXPORT_MAX_BYTES", environment, default=_EXPORT_MAX_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRoles:
    """As whom the server works on the database: one URL for each task, so that each has the rights of that task."""

    ingestion_url: str = field(repr=False)
    sequencing_url: str = field(repr=False)
    migration_url: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, database_url: str) -> Self:
        """Take `database_url` for each task that has none of its own."""
        return cls(
            ingestion_url=environment.get("GATEHOUSE_INGESTION_DATABASE_URL") or database_url,
            sequencing_url=environment.get("GATEHOUSE_SEQUENCING_DATABASE_URL") or database_url,
            migration_url=environment.get("GATEHOUSE_MIGRATION_DATABASE_URL") or database_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What signs the log, and who is asked to sign beside it. Without a key this process is never the sequencer."""

    key: LogKey | None
    witnesses: tuple[Witness, ...]
    signed_folder: Path | None = None  # where the last checkpoint signed here is kept

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises SettingInvalid for the first variable that is wrong."""
        key = None
        if environment.get("GATEHOUSE_LOG_KEY_FILE"):
            text = _file(environment, "GATEHOUSE_LOG_KEY_FILE", "a signer's key of one line").decode("utf-8", "replace")
            try:
                key = LogKey.parse(text, name=environment.get("GATEHOUSE_LOG_NAME") or None)
            except KeyMalformed as exc:
                raise SettingInvalid(
                    f"GATEHOUSE_LOG_KEY_FILE holds no key, or GATEHOUSE_LOG_NAME is no name for it: {exc}"
                ) from exc
        lines = [line for line in environment.get("GATEHOUSE_WITNESSES", "").splitlines() if line.strip()]
        folder = environment.get("GATEHOUSE_SIGNED_DIR") or environment.get("GATEHOUSE_LOG_KEY_FILE", "") + ".signed"
        return cls(
            key=key,
            witnesses=tuple(map(_witness, lines)),
            signed_folder=None if key is None else Path(folder),
        )

    def verifiers(self, tenant: str) -> tuple[VerifierKey, ...]:
        """Return the public keys that sign checkpoints of the tenant's log, as far as they are known here."""
        own = () if self.key is None else (self.key.signer(tenant).verifier,)
        return (*own, *(witness.key for witness in self.witnesses))


WITHOUT_LOG_KEY: Final = LogSettings(key=None, witnesses=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the API listens. `url` is its public origin; it is never taken from a request's Host."""

    host: str
    port: int
    url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        host = environment.get("GATEHOUSE_API_HOST", "127.0.0.1")
        port = _port("GATEHOUSE_API_PORT", environment.get("GATEHOUSE_API_PORT", "8080"))
        url = environment.get("GATEHOUSE_API_URL", f"http://{host}:{port}").rstrip("/")
        if _ORIGIN.fullmatch(url) is None:
            raise SettingInvalid(
                "GATEHOUSE_API_URL is not an origin: set it to something like https://gatehouse.example"
            )
        return cls(host=host, port=port, url=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationSettings:
    """Where numbers can be read and traces go; each None is off."""

    metrics_host: str
    metrics_port: int | None
    otlp_endpoint: str | None = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, api_port: int) -> Self:
        """Raises SettingInvalid, also for metrics on the API's own port: they have no authentication."""
        given = environment.get("GATEHOUSE_METRICS_PORT", "")
        port = _port("GATEHOUSE_METRICS_PORT", given) if given else None
        if port == api_port:
            raise SettingInvalid("GATEHOUSE_METRICS_PORT is the port of the API: set it to another one")
        endpoint = environment.get("GATEHOUSE_OTLP_ENDPOINT") or None
        if endpoint is not None and _COLLECTOR.fullmatch(endpoint) is None:
            raise SettingInvalid(
                "GATEHOUSE_OTLP_ENDPOINT is not the base URL of a collector: set it to something like "
                "http://collector.example:4318"
            )
        return cls(
            metrics_host=environment.get("GATEHOUSE_METRICS_HOST") or "127.0.0.1",
            metrics_port=port,
            otlp_endpoint=endpoint,
        )


def sinks_from_environment(environment: Mapping[str, str]) -> tuple[Sink, ...]:
    """Return where the log is pushed to; nowhere where GATEHOUSE_SINKS_FILE is not set. Raises SettingInvalid."""
    name = environment.get("GATEHOUSE_SINKS_FILE")
    try:
        return read_sinks(Path(name)) if name else ()
    except SinksInvalid as exc:
        raise SettingInvalid(str(exc)) from exc


def _witness(line: str) -> Witness:
    url, _, vkey = line.strip().partition(" ")
    try:
        return Witness(url=_checked_url(url), key=VerifierKey.parse(vkey.strip()).cosigner())
    except ValueError as exc:
        raise SettingInvalid(
            f"GATEHOUSE_WITNESSES has a line that is not 'URL VKEY' ({exc}): set one line for each witness, such as "
            "'https://witness.example witness.example+0a1b2c3d+AQ…'"
        ) from exc


def _checked_url(url: str) -> str:
    if _COLLECTOR.fullmatch(url) is None:
        raise ValueError("the address is not an http or https URL")
    return url.rstrip("/")


def _port(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) <= _HIGHEST_PORT:
        raise SettingInvalid(f"{name} is not a port: set it to a number from 1 to 65535")
    return int(value)


def _earlier_signing_key(environment: Mapping[str, str]) -> tuple[bytes | None, str]:
    """Return the key that signed until a rotation that is under way, and its id; None where there is none."""
    name, id_name = "GATEHOUSE_EARLIER_SIGNING_KEY_FILE", "GATEHOUSE_EARLIER_BUNDLE_KEY_ID"
    if not environment.get(name):
        return None, ""
    key_id = _required(environment, id_name, "Set it to the id that GATEHOUSE_BUNDLE_KEY_ID had before the rotation")
    if key_id == environment.get("GATEHOUSE_BUNDLE_KEY_ID", _KEY_ID):
        raise SettingInvalid(f"{id_name} is GATEHOUSE_BUNDLE_KEY_ID: two keys need two ids")
    return _file(environment, name, "the EC P-256 private key, in PEM, that signed before"), key_id


def _export_dir(environment: Mapping[str, str]) -> Path | None:
    """Return the folder for results: the one that was set, else one beside a database that is a file."""
    given = environment.get("GATEHOUSE_EXPORT_DIR")
    if given:
        return Path(given)
    database = environment.get("GATEHOUSE_DATABASE_URL", "")
    return Path(database.removeprefix(_SQLITE)).parent / "exports" if database.startswith(_SQLITE) else None


def _bytes(name: str, environment: Mapping[str, str], *, default: int) -> int:
    given = environment.get(name) or str(default)
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 2**62:
        raise SettingInvalid(f"{name} is not a number of bytes: set it to something like {default}")
    return int(given)


def _guard_engine(environment: Mapping[str, str]) -> GuardEngineName:
    name = environment.get("GATEHOUSE_GUARD_ENGINE", GuardEngineName.OPA)
    if name not in tuple(GuardEngineName):
        raise SettingInvalid("GATEHOUSE_GUARD_ENGINE is not an engine: set it to opa or embedded, as on the nodes")
    return GuardEngineName(name)


def _required(environment: Mapping[str, str], name: str, fix: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingInvalid(f"{name} is not set: {fix}")
    return value


def _file(environment: Mapping[str, str], name: str, what: str) -> bytes:
    path = Path(_required(environment, name, f"Set it to the path of {what}"))
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingInvalid(f"{name} names a file that cannot be read ({exc.strerror}): it must hold {what}") from exc


def _key(environment: Mapping[str, str], name: str) -> bytes:
    text = _file(environment, name, "64 hexadecimal digits").decode("ascii", "replace").strip()
    if _HEX_KEY.fullmatch(text) is None:
        raise SettingInvalid(f"{name} does not hold a key: it must be 64 hexadecimal digits")
    return bytes.fromhex(text)


def _key_ring(environment: Mapping[str, str], name: str) -> KeyRing:
    what = "64 hexadecimal digits, on further lines the keys before it"
    text = _file(environment, name, what).decode("ascii", "replace")
    try:
        return KeyRing.parse(text)
    except ValueError as exc:
        raise SettingInvalid(f"{name} does not hold keys: each line must be 64 hexadecimal digits") from exc
