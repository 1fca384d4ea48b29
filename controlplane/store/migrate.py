# SPDX-License-Identifier: Apache-2.0
"""Bring a database to the newest schema, and refuse to work on any other."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from controlplane.identifiers import utc_now
from controlplane.store.engine import WRITES
from controlplane.store.partitions import make_partitions
from controlplane.store.reindex import is_behind, reindex

_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(Exception):
    """The database's schema is not the one this program works on."""


def migrate(engine: Engine) -> None:
    """Run every migration the database has not seen, in one transaction, then index what of the log is not yet.

    The index is made by the code of today, never by a migration's: what a migration does must stay as it is, and how
    records are indexed will change. It may be interrupted, and goes on from there when it is run again.
    """
    config = _config()
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        make_partitions(connection, utc_now().date())
    reindex(engine)


def check_schema(engine: Engine) -> None:
    """Raise SchemaOutdated unless the database is at the newest migration, and all of its log is indexed."""
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise SchemaOutdated(
            f"the database is at schema {found or 'none'}, this program needs {wanted}: "
            "run 'python -m controlplane init'",
        )
    with engine.connect() as connection:
        if is_behind(connection):
            raise SchemaOutdated("the index of the decision log is not of all of it: run 'python -m controlplane init'")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
