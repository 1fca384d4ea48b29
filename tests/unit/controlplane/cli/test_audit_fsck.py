# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit fsck`: of which database, with which exit code."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from controlplane.local.home import Home
from controlplane.local.materials import ensure_materials
from controlplane.settings import StoreSettings
from controlplane.store.store import SqlStore
from controlplane.stores import open_engine
from tests.control_planes import make_plane
from tests.records import make_record


@pytest.fixture
def database(home: Path):
    """The home's own database, with a record whose payload is sealed under the home's key."""
    at = Home(home)
    at.create()
    ensure_materials(at)
    plane = make_plane(f"sqlite:///{at.database}")
    settings = StoreSettings.from_environment(
        {
            "GATEHOUSE_DATABASE_URL": f"sqlite:///{at.database}",
            "GATEHOUSE_SIGNING_KEY_FILE": str(at.keys / "bundle-signing.pem"),
            "GATEHOUSE_KEY_PEPPER_FILE": str(at.keys / "key-pepper"),
            "GATEHOUSE_PSEUDONYM_KEY_FILE": str(at.keys / "pseudonym-key"),
            "GATEHOUSE_PAYLOAD_KEY_FILE": str(at.keys / "payload-key"),
        }
    )
    plane.store.close()
    plane.store._engine, plane.store._ring = open_engine("X", settings.database_url), settings.payload_keys
    plane.ingest(make_record(seq=1), make_record(seq=2))
    assert isinstance(plane.store, SqlStore)
    yield plane.store._engine
    plane.store.close()


def test_a_sound_database_is_said_to_be(gatehouse, database):
    result = gatehouse("audit", "fsck")
    assert (result.exit_code, result.stdout) == (0, "default: 2 entries, nothing wrong\n")
    assert json.loads(gatehouse("audit", "fsck", "--json").stdout) == {
        "sound": True,
        "logs": [{"tenant": "default", "size": 2, "findings": []}],
    }


def test_what_does_not_fit_is_named_and_ends_with_one(gatehouse, database):
    with database.begin() as connection:
        connection.execute(text("UPDATE records SET envelope = x'7b7d' WHERE log_index = 1"))
    result = gatehouse("audit", "fsck")
    assert result.exit_code == 1
    assert "entry 1" in result.stdout
    found = json.loads(gatehouse("audit", "fsck", "--json").stdout)
    assert (found["sound"], found["logs"][0]["findings"][0]["place"]) == (False, "entry 1")


def test_what_cannot_be_checked_ends_with_two(gatehouse, home):
    result = gatehouse("audit", "fsck")
    assert (result.exit_code, "GATEHOUSE_DATABASE_URL" in result.stderr) == (2, True)
