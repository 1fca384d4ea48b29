# SPDX-License-Identifier: Apache-2.0
"""The stores of a server: one database, and for each task a connection of its own where a URL for it is given."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError

from controlplane.identifiers import new_ulid, utc_now
from controlplane.services.sequencing import Sequencer
from controlplane.services.signed_memory import SignedFolder
from controlplane.settings import DatabaseRoles, LogSettings, SettingInvalid, StoreSettings
from controlplane.store.durability import undurable
from controlplane.store.engine import open_database
from controlplane.store.leadership import leadership
from controlplane.store.migrate import check_schema
from controlplane.store.store import SqlStore

_log = structlog.get_logger("gatehouse.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Each store has the rights of its task; where no task has a URL of its own they are all the same."""

    serving: SqlStore
    ingestion: SqlStore
    upkeep: SqlStore
    sequencer: Sequencer | None


@contextmanager
def open_stores(settings: StoreSettings, roles: DatabaseRoles, log: LogSettings) -> Iterator[Stores]:
    """Open what a server needs. Raises SettingInvalid, SchemaOutdated."""
    with ExitStack() as stack:
        engine = _opened(stack, "GATEHOUSE_DATABASE_URL", settings.database_url)
        check_schema(engine)
        _tell_of_durability(engine)
        serving = SqlStore(engine, settings.payload_keys)
        ingestion = upkeep = serving
        if roles.ingestion_url != settings.database_url:
            other = _opened(stack, "GATEHOUSE_INGESTION_DATABASE_URL", roles.ingestion_url)
            ingestion = SqlStore(other, settings.payload_keys)
        if roles.sequencing_url != settings.database_url:
            other = _opened(stack, "GATEHOUSE_SEQUENCING_DATABASE_URL", roles.sequencing_url)
            upkeep = SqlStore(other, settings.payload_keys)
        sequencer = None
        if log.key is not None:
            # Never the server's own: who signs must not wait for a connection behind requests.
            signing = _opened(stack, "GATEHOUSE_SEQUENCING_DATABASE_URL", roles.sequencing_url)
            sequencer = Sequencer(
                store=SqlStore(signing, settings.payload_keys),
                leadership=leadership(signing, utc_now),
                key=log.key,
                clock=utc_now,
                new_id=new_ulid,
                pseudonym_key=settings.pseudonym_key,
                memory=None if log.signed_folder is None else SignedFolder(log.signed_folder),
            )
        yield Stores(serving=serving, ingestion=ingestion, upkeep=upkeep, sequencer=sequencer)


def _tell_of_durability(engine: Engine) -> None:
    """Raise the alarm where the database may lose what it acknowledged. It is used: that is its owner's choice."""
    weak = undurable(engine)
    if weak:
        fix = "an acknowledged record may be lost in a crash: switch each on in the server's configuration"
        _log.error("database_not_durable", settings=weak, fix=fix)


def open_engine(variable: str, url: str) -> Engine:
    """Return the engine of `url`, which `variable` gave. Raises SettingInvalid."""
    try:
        return open_database(url)
    except (ValueError, ArgumentError) as exc:
        fix = "set it to sqlite:///PATH or postgresql://USER@HOST/NAME"
        raise SettingInvalid(f"{variable} names no database of a known kind: {fix}") from exc


def _opened(stack: ExitStack, variable: str, url: str) -> Engine:
    engine = open_engine(variable, url)
    stack.callback(engine.dispose)
    return engine
