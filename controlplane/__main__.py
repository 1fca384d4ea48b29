# SPDX-License-Identifier: Apache-2.0
"""`python -m controlplane` serves the API; `… init` prepares its database, `… rewrap` exchanges its payload
key, `… grant` gives the roles of a PostgreSQL their rights.
"""

# First: rego-cpp must be the first C++ library of the process, or the embedded engine refuses every guard.
import policies.engines.rego_library  # noqa: F401  # see above

# isort: split
import json
import logging
import os
import sys
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from controlplane.bootstrap import ControlPlane, assemble
from controlplane.serve import serve
from controlplane.services.errors import Invalid, StoreUnavailable
from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT
from controlplane.services.sequencing import Sequencer
from controlplane.settings import (
    WITHOUT_LOG_KEY,
    DatabaseRoles,
    LogSettings,
    ObservationSettings,
    ServerSettings,
    SettingInvalid,
    StoreSettings,
    sinks_from_environment,
)
from controlplane.store.grants import Roles, grant
from controlplane.store.migrate import SchemaOutdated, check_schema, migrate
from controlplane.store.store import SqlStore
from controlplane.stores import open_engine, open_stores

_MISUSED: Final = 2
_FAILED: Final = 1
_LARGEST_INPUT: Final = 64 * 1024


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    _log_json()
    try:
        return _run(arguments)
    except (SettingInvalid, SchemaOutdated, StoreUnavailable) as exc:
        return _say(str(exc), _FAILED)
    except SQLAlchemyError as exc:
        # The type only: a driver's text has the address, and may have what was being stored.
        return _say(f"GATEHOUSE_DATABASE_URL names a database that cannot be used ({type(exc).__name__})", _FAILED)
    except Invalid as exc:
        return _say(exc.detail, _MISUSED)


def _run(arguments: list[str]) -> int:
    match arguments:
        case []:
            return _serve()
        case ["init"]:
            return _init(sys.stdin.read(_LARGEST_INPUT))
        case ["rewrap"]:
            return _rewrap()
        case ["rotate-bundle-key"]:
            return _rotate_bundle_key()
        case ["grant", serving, ingestion, sequencing]:
            return _grant(Roles(serving=serving, ingestion=ingestion, sequencing=sequencing))
        case _:
            usage = (
                "usage: python -m controlplane [init | rewrap | rotate-bundle-key | grant SERVING INGESTION SEQUENCING]"
            )
            return _say(usage, _MISUSED)


def _serve() -> int:
    store_settings = StoreSettings.from_environment(os.environ)
    server_settings = ServerSettings.from_environment(os.environ)
    observation = ObservationSettings.from_environment(os.environ, api_port=server_settings.port)
    sinks = sinks_from_environment(os.environ)
    roles = DatabaseRoles.from_environment(os.environ, database_url=store_settings.database_url)
    log = LogSettings.from_environment(os.environ)
    with open_stores(store_settings, roles, log) as stores:
        plane = _assemble(
            store_settings,
            stores.serving,
            ingestion_store=stores.ingestion,
            upkeep_store=stores.upkeep,
            sequencer=stores.sequencer,
            log=log,
        )
        plane.payload_keys.check()
        serve(plane, server_settings, observation, sinks=sinks, witnesses=log.witnesses)
    return 0


def _init(text: str) -> int:
    settings = StoreSettings.from_environment(os.environ)
    tokens = _tokens(text)
    roles = DatabaseRoles.from_environment(os.environ, database_url=settings.database_url)
    engine = _open_as_owner(settings, roles)
    migrate(engine)
    store = SqlStore(engine, settings.payload_keys)
    try:
        prepare(_assemble(settings, store), tokens)
    finally:
        store.close()
    return 0


def _rotate_bundle_key() -> int:
    """Sign what is published by the key that is set now; nodes must have its public half before."""
    settings = StoreSettings.from_environment(os.environ)
    engine = open_engine("GATEHOUSE_DATABASE_URL", settings.database_url)
    check_schema(engine)
    store = SqlStore(engine, settings.payload_keys)
    try:
        for environment in _assemble(settings, store).key_rotation.rotate(settings.signing_key_id):
            sys.stdout.write(f"{environment} is signed by {settings.signing_key_id}\n")
    finally:
        store.close()
    return 0


def _open_as_owner(settings: StoreSettings, roles: DatabaseRoles) -> Engine:
    """Return the engine of who owns the tables. Raises SettingInvalid, which names the variable that was set."""
    apart = roles.migration_url != settings.database_url
    return open_engine("GATEHOUSE_MIGRATION_DATABASE_URL" if apart else "GATEHOUSE_DATABASE_URL", roles.migration_url)


def _rewrap() -> int:
    settings = StoreSettings.from_environment(os.environ)
    roles = DatabaseRoles.from_environment(os.environ, database_url=settings.database_url)
    engine = _open_as_owner(settings, roles)
    check_schema(engine)
    store = SqlStore(engine, settings.payload_keys)
    try:
        keys = _assemble(settings, store).payload_keys
        keys.check()
        return _say(f"{keys.rewrap()} payload keys were under an earlier key; all are under the current one now", 0)
    finally:
        store.close()


def _grant(names: Roles) -> int:
    settings = StoreSettings.from_environment(os.environ)
    roles = DatabaseRoles.from_environment(os.environ, database_url=settings.database_url)
    engine = _open_as_owner(settings, roles)
    try:
        if engine.dialect.name != "postgresql":
            return _say("grant is for PostgreSQL: SQLite has no roles", _MISUSED)
        check_schema(engine)
        with engine.begin() as connection:
            grant(connection, names)
    finally:
        engine.dispose()
    return _say(f"{names.serving}, {names.ingestion} and {names.sequencing} have what their tasks need", 0)


def _assemble(
    settings: StoreSettings,
    store: SqlStore,
    *,
    ingestion_store: SqlStore | None = None,
    upkeep_store: SqlStore | None = None,
    sequencer: Sequencer | None = None,
    log: LogSettings = WITHOUT_LOG_KEY,
) -> ControlPlane:
    try:
        return assemble(
            settings,
            store,
            ingestion_store=ingestion_store,
            upkeep_store=upkeep_store,
            sequencer=sequencer,
            log=log,
        )
    except ValueError as exc:
        raise SettingInvalid(f"GATEHOUSE_SIGNING_KEY_FILE, or the earlier one, cannot be used: {exc}") from exc


def prepare(plane: ControlPlane, tokens: dict[str, str]) -> None:
    """Make sure that the default environment, its first credentials and the roles' tokens are there."""
    with plane.store.write() as session:
        session.environments.ensure(DEFAULT_TENANT, DEFAULT_ENVIRONMENT)
        if session.environments.credentials(DEFAULT_TENANT, DEFAULT_ENVIRONMENT) is None:
            plane.api_keys.publish(session, DEFAULT_TENANT, DEFAULT_ENVIRONMENT)
        plane.revocations.begin(session, DEFAULT_TENANT, DEFAULT_ENVIRONMENT)
        plane.access.ensure_tokens(session, tokens)


def _tokens(text: str) -> dict[str, str]:
    try:
        read = json.loads(text)
    except ValueError as exc:
        raise Invalid("tokens-invalid", "standard input is not JSON: send {ROLE: TOKEN, …}") from exc
    if not isinstance(read, dict) or not all(isinstance(token, str) for token in read.values()):
        raise Invalid("tokens-invalid", "standard input is not an object of tokens: send {ROLE: TOKEN, …}")
    return read


def _log_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _say(message: str, status: int) -> int:
    sys.stderr.write(f"controlplane: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
