# SPDX-License-Identifier: Apache-2.0
"""Which store a server opens for which task."""

import pytest
from structlog.testing import capture_logs

from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.rego_engines import GuardEngineName, RegoEngines
from controlplane.settings import DatabaseRoles, LogSettings, SettingInvalid, StoreSettings
from controlplane.store.engine import open_database
from controlplane.store.migrate import SchemaOutdated, migrate
from controlplane.stores import open_stores
from tests.control_planes import PAYLOAD_KEYS, sqlite_url

NO_LOG = LogSettings(key=None, witnesses=())


def settings(url: str) -> StoreSettings:
    return StoreSettings(
        database_url=url,
        signing_key=b"",
        signing_key_id="k",
        key_pepper=b"",
        pseudonym_key=b"",
        payload_keys=PAYLOAD_KEYS,
        rego=RegoEngines(nodes=GuardEngineName.EMBEDDED, opa_binary=None),
    )


@pytest.fixture
def url(tmp_path):
    found = sqlite_url(tmp_path)
    engine = open_database(found)
    migrate(engine)
    engine.dispose()
    return found


def roles(url: str, **changed: str) -> DatabaseRoles:
    return DatabaseRoles(**{"ingestion_url": url, "sequencing_url": url, "migration_url": url} | changed)


def test_one_url_is_one_store_and_nobody_signs_without_a_key(url):
    with open_stores(settings(url), roles(url), NO_LOG) as stores:
        assert stores.ingestion is stores.serving
        assert stores.sequencer is None


def test_the_sequencer_never_shares_the_servers_connections(url):
    log = LogSettings(key=LogKey.parse(new_log_key()), witnesses=())
    with open_stores(settings(url), roles(url), log) as stores:
        assert stores.sequencer is not None
        assert stores.sequencer.store is not stores.serving
        stores.sequencer.step()
        assert stores.sequencer.leads


def test_a_task_with_a_url_of_its_own_has_a_store_of_its_own(url):
    with open_stores(settings(url), roles(url, ingestion_url=url + "?timeout=9"), NO_LOG) as stores:
        assert stores.ingestion is not stores.serving


def test_a_url_that_names_nothing_is_named_by_its_variable(url):
    with (
        pytest.raises(SettingInvalid, match="GATEHOUSE_INGESTION_DATABASE_URL"),
        open_stores(settings(url), roles(url, ingestion_url="mysql://x"), NO_LOG),
    ):
        pass


def test_an_outdated_database_is_not_served(tmp_path):
    url = sqlite_url(tmp_path)
    with pytest.raises(SchemaOutdated), open_stores(settings(url), roles(url), NO_LOG):
        pass


@pytest.mark.parametrize("weak", [(), ("fsync is off",)])
def test_a_database_that_may_lose_what_it_acknowledged_is_told_of(url, monkeypatch, weak):
    monkeypatch.setattr("controlplane.stores.undurable", lambda _: weak)
    with capture_logs() as logs, open_stores(settings(url), roles(url), NO_LOG):
        pass
    assert [(line["log_level"], line["event"], line["settings"]) for line in logs] == [
        ("error", "database_not_durable", weak) for _ in weak
    ]
