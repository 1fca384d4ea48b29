# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit fsck`: read the database itself, and say where it contradicts itself or what was signed.

Exit codes: 0 everything fits, 1 something does not, 2 it cannot be checked (or wrong usage).
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from controlplane.cli.shared import complain, home, json_option, say, show_json
from controlplane.cli.tables import plain, show_table
from controlplane.services.errors import StoreUnavailable
from controlplane.services.fsck import Finding, LogCheck
from controlplane.services.ports import Session
from controlplane.settings import LogSettings, SettingInvalid, StoreSettings
from controlplane.store.migrate import SchemaOutdated, check_schema
from controlplane.store.store import SqlStore
from controlplane.stores import open_engine

_UNCHECKED = 2
# A log that was written over has a finding for every entry; nobody reads a million of them.
_SHOWN = 1000


@click.command()
@json_option
def fsck(*, as_json: bool) -> None:
    """Check this home's database, or the one that GATEHOUSE_DATABASE_URL names, while it is served or not.

    Every envelope is compared with its hash in the tree, every payload with its digest, every tile with those below it,
    every checkpoint with the leaf hashes and the log's key, the numbers of sources and the index with the entries.

    Exits 0 where everything fits, 1 where something does not, 2 where it cannot be checked.
    """
    try:
        logs = _checked()
    except (SettingInvalid, SchemaOutdated, StoreUnavailable) as exc:
        complain(f"Error: the database cannot be checked: {exc}")
        sys.exit(_UNCHECKED)
    if as_json:
        shown = [
            {
                "tenant": tenant,
                "size": size,
                "findings": [{"place": each.place, "problem": each.problem} for each in findings],
            }
            for tenant, size, findings in logs
        ]
        show_json({"sound": not any(findings for _, _, findings in logs), "logs": shown})
    else:
        for tenant, size, findings in logs:
            say(f"{plain(tenant)}: {size} entries, {len(findings) or 'nothing'} wrong")
            if findings:
                show_table(("PLACE", "PROBLEM"), ((each.place, each.problem) for each in findings))
    sys.exit(1 if any(findings for _, _, findings in logs) else 0)


def _checked() -> list[tuple[str, int, list[Finding]]]:
    environment = _environment()
    settings, log = StoreSettings.from_environment(environment), LogSettings.from_environment(environment)
    engine = open_engine("GATEHOUSE_DATABASE_URL", settings.database_url)
    with closing(SqlStore(engine, settings.payload_keys)) as store:
        check_schema(engine)
        with store.read() as session:
            return [_log(session, tenant, log) for tenant in session.checkpoints.tenants()]


def _log(session: Session, tenant: str, log: LogSettings) -> tuple[str, int, list[Finding]]:
    key = None if log.key is None else log.key.signer(tenant).verifier
    check = LogCheck(session, tenant, key)
    with _bar(tenant, check.head.size) as told:
        findings = list(islice(check.run(told), _SHOWN))
    return tenant, check.head.size, findings


def _environment() -> dict[str, str]:
    """Return the settings of the home's own control plane, those of the caller's environment before them."""
    at = home()
    own = {
        "GATEHOUSE_DATABASE_URL": f"sqlite:///{at.database}",
        "GATEHOUSE_SIGNING_KEY_FILE": str(at.keys / "bundle-signing.pem"),
        "GATEHOUSE_KEY_PEPPER_FILE": str(at.keys / "key-pepper"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(at.keys / "pseudonym-key"),
        "GATEHOUSE_PAYLOAD_KEY_FILE": str(at.keys / "payload-key"),
    }
    if at.log_key.exists():
        own["GATEHOUSE_LOG_KEY_FILE"] = str(at.log_key)
    if not os.environ.get("GATEHOUSE_DATABASE_URL") and not at.database.exists():
        raise SettingInvalid(f"{at.database} does not exist: set GATEHOUSE_HOME or GATEHOUSE_DATABASE_URL")
    return {**own, **{name: value for name, value in os.environ.items() if value}}


@contextmanager
def _bar(tenant: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show how far the log was read, where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(plain(tenant), total=size)
        yield lambda entries: bar.advance(task, entries)
