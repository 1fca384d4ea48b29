# SPDX-License-Identifier: Apache-2.0
"""Homes as earlier versions left them: each migrates, serves what it had, ships what its node still held, goes on."""

import gzip
import json
import os
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.audit.checkpoints import Checkpoint, open_checkpoint
from controlplane.audit.entry_tiles import parse_entries_tile
from controlplane.audit.frontier import Frontier
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.tiles import TILE_WIDTH, tile_path
from controlplane.local import parts, seed
from controlplane.local.home import Home
from controlplane.local.materials import ensure_materials
from controlplane.local.parts import Part, RunSettings
from controlplane.services.log_key import LogKey
from controlplane.store.engine import open_database
from proxy_addons.node.spool_reader import SpoolReader
from tests.databases import postgres_binaries, private_postgres
from tests.ports import unused_port
from tests.served_control_planes import until

FIXTURES = Path(__file__).parents[1] / "fixtures" / "upgrades"
ROOT = Path(__file__).parents[2]
NAMES = sorted(path.name for path in FIXTURES.iterdir() if (path / "home.tar.gz").exists())

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Left:
    """What the earlier version had stored, read from its database before anything else touches it."""

    requests: frozenset[str]
    envelopes: tuple[bytes, ...]
    admin_events: int


@dataclass(frozen=True)
class Upgraded:
    settings: RunSettings
    left: Left
    control_plane: Part

    def call(self, role: str, method: str, path: str, **arguments: Any) -> httpx.Response:
        token = self.settings.home.read_credentials()["tokens"][role]
        headers = {"Authorization": f"Bearer {token}"} | arguments.pop("headers", {})
        return httpx.request(
            method, self.settings.api_url + path, headers=headers, trust_env=False, timeout=30, **arguments
        )

    def every(self, role: str, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query = {"limit": "500"}
        while True:
            answer = self.call(role, "GET", path, params=query)
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                return items
            query["cursor"] = answer.json()["next_cursor"]


@pytest.fixture(params=NAMES)
def settings(request, tmp_path) -> RunSettings:
    home = Home(tmp_path / "home")
    home.create()
    with tarfile.open(FIXTURES / request.param / "home.tar.gz") as archive:
        archive.extractall(home.root, filter="data")
    ensure_materials(home)  # as `gatehouse run` does first
    return RunSettings(
        home=home,
        api_port=unused_port(),
        proxy_port=unused_port(),
        health_port=unused_port(),
        metrics_port=unused_port(),
        upstream="http://127.0.0.1:9",
        upstream_key_file=None,
        opa=None,
        workers=2,
    )


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_serves_what_it_had_and_goes_on(settings, database, request):
    if database == "postgres":
        part = _control_plane(settings, url=request.getfixturevalue("postgres_url")(settings))
    else:
        part = _control_plane(settings)
    with _served(settings, part) as upgraded:
        left = upgraded.left
        held = {item["request_id"]: item for item in upgraded.every("auditor", "/v1/decisions")}
        assert left.requests == held.keys()
        stored = [envelope for found in held for envelope in _envelopes(upgraded, found)]
        assert sorted(map(_canonical, left.envelopes)) == sorted(stored)
        assert len(upgraded.every("auditor", "/v1/admin-events")) >= left.admin_events > 0
        _activate_again(upgraded)
        with _running(parts.proxy(settings, upstream=settings.upstream or "")):
            until(lambda: len(upgraded.every("auditor", "/v1/decisions")) > len(left.requests), within_s=60)
            until(lambda: _unshipped(settings.home) == 0, within_s=60)
        _verify_log(upgraded)
        shipped = {item["request_id"] for item in upgraded.every("auditor", "/v1/decisions")}
        assert shipped > left.requests
        assert len(shipped) == len(left.requests) + 20  # what was asked while nothing was shipped


# What the versions in the fixtures did with each record, before they wrote down how many there are.
_APPENDED_BEFORE = """
    INSERT INTO records (tenant, log_index, environment, source_id, boot_id, seq, record_id, request_id, kind,
        received_at, envelope, envelope_digest)
    VALUES ('default', 9999, 'production', 'n/w0', 'b', 1, 'r', 'q', 'terminal', 0, x'7b7d', 'sha256:0')
"""


def test_a_server_of_before_that_still_runs_cannot_append_to_the_migrated_log(settings):
    seed.initialise(_control_plane(settings), seed.ensure_tokens(settings.home))
    with closing(sqlite3.connect(settings.home.database)) as connection:
        before = connection.execute("SELECT size, root FROM log_heads").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="no column"):
            connection.execute(_APPENDED_BEFORE)
        assert connection.execute("SELECT size, root FROM log_heads").fetchall() == before


def test_says_how_to_migrate_where_it_must(settings):
    part = _control_plane(settings)
    with sqlite3.connect(settings.home.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    ended = subprocess.run(
        part.argv, env=_environment(part), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "run 'python -m controlplane init'" in ended.stderr


@pytest.fixture(scope="module")
def postgres_url():
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: install it")
    with private_postgres(binaries) as url:

        def load(settings: RunSettings) -> str:
            """Put the dump that belongs to the home in place of what is there."""
            name = next(name for name in NAMES if _fixture_has(name, settings.home.root / "keys" / "agent-token"))
            engine = open_database(url)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE")
                connection.exec_driver_sql("CREATE SCHEMA public")
                dump = gzip.decompress((FIXTURES / name / "postgres.sql.gz").read_bytes()).decode()
                connection.connection.cursor().execute(dump)  # type: ignore[arg-type]
            engine.dispose()
            return url

        yield load


def _fixture_has(name: str, file: Path) -> bool:
    with tarfile.open(FIXTURES / name / "home.tar.gz") as archive:
        member = archive.extractfile("keys/agent-token")
        assert member is not None
        return member.read() == file.read_bytes()


def _control_plane(settings: RunSettings, *, url: str | None = None) -> Part:
    part = parts.control_plane(settings)
    changed = {} if url is None else {"GATEHOUSE_DATABASE_URL": url}
    return Part(
        name=part.name,
        argv=part.argv,
        environment={**part.environment, **changed},
        address=part.address,
        is_healthy=part.is_healthy,
    )


@contextmanager
def _served(settings: RunSettings, part: Part) -> Iterator[Upgraded]:
    left = _read_left(settings.home.database)
    seed.initialise(part, seed.ensure_tokens(settings.home))
    with _running(part):
        yield Upgraded(settings, left, part)


@contextmanager
def _running(part: Part) -> Iterator[None]:
    process = subprocess.Popen(part.argv, env=_environment(part), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until(lambda: part.is_healthy() or process.poll() is not None, within_s=60)
        assert process.poll() is None, f"{part.name} ended with {process.returncode}"
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=40) == 0


def _environment(part: Part) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **part.environment}


def _read_left(database: Path) -> Left:
    with sqlite3.connect(database) as connection:
        envelopes = tuple(row[0] for row in connection.execute("SELECT envelope FROM records ORDER BY log_index"))
        requests = frozenset(row[0] for row in connection.execute("SELECT request_id FROM decisions"))
        events = connection.execute("SELECT count(*) FROM admin_events").fetchone()[0]
    connection.close()
    assert requests
    return Left(requests, envelopes, events)


def _envelopes(upgraded: Upgraded, request: str) -> list[bytes]:
    answer = upgraded.call("auditor", "GET", f"/v1/decisions/{request}")
    assert answer.status_code == 200, answer.text
    return [_canonical(json.dumps(record["envelope"])) for record in answer.json()["records"]]


def _canonical(text: bytes | str) -> bytes:
    return json.dumps(json.loads(text), sort_keys=True).encode()


def _activate_again(upgraded: Upgraded) -> None:
    """Put the release in force to work again. Making it anew may fail: its tests say what detectors found then."""
    in_force = upgraded.call("approver", "GET", "/v1/environments/production").json()["desired"]
    etag = upgraded.call("approver", "GET", "/v1/environments/production").headers["ETag"]
    body = {"release": in_force["release"], "environment": "production"}
    made = upgraded.call("approver", "POST", "/v1/activations", json=body, headers={"If-Match": etag})
    assert made.status_code == 201, made.text


def _verify_log(upgraded: Upgraded) -> None:
    """The log is signed by the key that the home was given, and has every envelope of before, byte for byte."""
    log = VerifierKey.parse(LogKey.parse(upgraded.settings.home.log_key.read_text()).vkey("default"))

    def newest() -> Checkpoint:
        answer = upgraded.call("auditor", "GET", "/tlog/default/checkpoint")
        return open_checkpoint(answer.content, [log]).checkpoint

    def waiting() -> list[int]:
        events = upgraded.every("auditor", "/v1/admin-events")
        return [event["seq"] for event in events if event["log_index"] is None]

    # Nodes that come and go leave events too: the newest may be on its way into the log.
    until(lambda: not waiting(), within_s=30)
    until(lambda: newest().size > len(upgraded.left.envelopes), within_s=30)
    checkpoint = newest()
    entries: list[bytes] = []
    while len(entries) < checkpoint.size:
        number = len(entries) // TILE_WIDTH
        path = tile_path("entries", number, min(TILE_WIDTH, checkpoint.size - len(entries)))
        entries += parse_entries_tile(upgraded.call("auditor", "GET", f"/tlog/default/{path}").content)
    assert Frontier().append(map(leaf_hash, entries)).root() == checkpoint.root
    assert entries[: len(upgraded.left.envelopes)] == list(upgraded.left.envelopes)


def _unshipped(home: Home) -> int:
    """Return how many records have not been shipped yet."""
    return sum(SpoolReader(spool).count_pending() for spool in (home.node / "spool").iterdir())
