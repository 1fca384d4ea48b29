# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from controlplane.audit.note_keys import KeyKind
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.settings import (
    DatabaseRoles,
    LogSettings,
    ObservationSettings,
    ServerSettings,
    SettingInvalid,
    StoreSettings,
)


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "pem").write_text("a key")
    (tmp_path / "hex").write_text("ab" * 32 + "\n")
    return {
        "GATEHOUSE_DATABASE_URL": "sqlite:////tmp/x",
        "GATEHOUSE_SIGNING_KEY_FILE": str(tmp_path / "pem"),
        "GATEHOUSE_KEY_PEPPER_FILE": str(tmp_path / "hex"),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(tmp_path / "hex"),
        "GATEHOUSE_PAYLOAD_KEY_FILE": str(tmp_path / "hex"),
    }


def test_keys_are_read_from_their_files_and_never_shown(environment):
    settings = StoreSettings.from_environment(environment)
    assert settings.key_pepper == bytes.fromhex("ab" * 32)
    assert "a key" not in repr(settings)
    assert "sqlite" not in repr(settings)


@pytest.mark.parametrize(
    "name",
    [
        "GATEHOUSE_DATABASE_URL",
        "GATEHOUSE_SIGNING_KEY_FILE",
        "GATEHOUSE_KEY_PEPPER_FILE",
        "GATEHOUSE_PSEUDONYM_KEY_FILE",
        "GATEHOUSE_PAYLOAD_KEY_FILE",
    ],
)
def test_a_missing_variable_is_named(environment, name):
    del environment[name]
    with pytest.raises(SettingInvalid, match=name):
        StoreSettings.from_environment(environment)


def test_a_pepper_that_is_not_a_key_is_refused(environment, tmp_path):
    (tmp_path / "hex").write_text("ab" * 31)
    with pytest.raises(SettingInvalid, match="GATEHOUSE_KEY_PEPPER_FILE"):
        StoreSettings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_API_PORT", "0"),
        ("GATEHOUSE_API_PORT", "65536"),
        ("GATEHOUSE_API_PORT", "http"),
        ("GATEHOUSE_API_URL", "gatehouse.example"),
        ("GATEHOUSE_API_URL", "https://gatehouse.example/path"),
    ],
)
def test_a_wrong_address_is_named(name, value):
    with pytest.raises(SettingInvalid, match=name):
        ServerSettings.from_environment({name: value})


def test_releases_are_for_opa_unless_the_nodes_run_something_else(environment):
    assert StoreSettings.from_environment(environment).rego.nodes == "opa"
    embedded = environment | {"GATEHOUSE_GUARD_ENGINE": "embedded"}
    assert StoreSettings.from_environment(embedded).rego.nodes == "embedded"


def test_an_engine_that_does_not_exist_is_named_with_the_fix(environment):
    with pytest.raises(SettingInvalid, match="GATEHOUSE_GUARD_ENGINE is not an engine: set it to opa or embedded"):
        StoreSettings.from_environment(environment | {"GATEHOUSE_GUARD_ENGINE": "Opa"})


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({}, Path("/tmp/exports"), id="beside a database that is a file"),
        pytest.param({"GATEHOUSE_DATABASE_URL": "postgresql://x@y/z"}, None, id="nowhere"),
        pytest.param({"GATEHOUSE_EXPORT_DIR": "/srv/exports"}, Path("/srv/exports"), id="where it was set"),
    ],
)
def test_where_results_go(environment, changes, want):
    assert StoreSettings.from_environment(environment | changes).export_dir == want


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({}, "GATEHOUSE_EARLIER_BUNDLE_KEY_ID is not set", id="no-id"),
        pytest.param({"GATEHOUSE_EARLIER_BUNDLE_KEY_ID": "gatehouse-1"}, "two keys need two ids", id="the-same-id"),
        pytest.param(
            {"GATEHOUSE_EARLIER_BUNDLE_KEY_ID": "k-0", "GATEHOUSE_EARLIER_SIGNING_KEY_FILE": "/nowhere"},
            "GATEHOUSE_EARLIER_SIGNING_KEY_FILE names a file that cannot be read",
            id="no-file",
        ),
    ],
)
def test_an_earlier_key_that_cannot_be_told_apart_is_named(environment, changes, want):
    named = {"GATEHOUSE_EARLIER_SIGNING_KEY_FILE": environment["GATEHOUSE_SIGNING_KEY_FILE"]}
    with pytest.raises(SettingInvalid, match=want):
        StoreSettings.from_environment(environment | named | changes)


def test_an_earlier_key_is_read_with_its_id_and_never_shown(environment):
    named = {
        "GATEHOUSE_EARLIER_SIGNING_KEY_FILE": environment["GATEHOUSE_SIGNING_KEY_FILE"],
        "GATEHOUSE_EARLIER_BUNDLE_KEY_ID": "k-0",
    }
    settings = StoreSettings.from_environment(environment | named)
    assert (settings.earlier_signing_key, settings.earlier_signing_key_id) == (b"a key", "k-0")
    assert "a key" not in repr(settings)


@pytest.mark.parametrize("value", ["-1", "0", "ten", "1.5", "٣", "9" * 40])
def test_a_number_of_bytes_that_is_none_is_named(environment, value):
    with pytest.raises(SettingInvalid, match="GATEHOUSE_EXPORT_MAX_BYTES"):
        StoreSettings.from_environment(environment | {"GATEHOUSE_EXPORT_MAX_BYTES": value})


def test_the_reference_lists_what_is_read():
    root = Path(__file__).resolve().parents[3]
    read = set(re.findall(r'"(GATEHOUSE_\w+)"', (root / "controlplane" / "settings.py").read_text()))
    page = (root / "docs" / "reference" / "control-plane-settings.md").read_text()
    assert read == set(re.findall(r"^\| `(GATEHOUSE_\w+)`", page, re.MULTILINE))


def test_each_task_has_the_servers_url_unless_it_has_its_own():
    own = {"GATEHOUSE_INGESTION_DATABASE_URL": "postgresql://ingest@db/g"}
    roles = DatabaseRoles.from_environment(own, database_url="postgresql://serve@db/g")
    assert roles.ingestion_url == "postgresql://ingest@db/g"
    assert roles.sequencing_url == roles.migration_url == "postgresql://serve@db/g"
    assert "postgresql" not in repr(roles)


def test_without_a_log_key_nothing_is_signed():
    assert LogSettings.from_environment({}) == LogSettings(key=None, witnesses=())


def test_the_log_is_named_by_its_key_or_by_its_setting(tmp_path):
    (tmp_path / "log.key").write_text(new_log_key() + "\n")
    of_file = {"GATEHOUSE_LOG_KEY_FILE": str(tmp_path / "log.key")}
    assert LogSettings.from_environment(of_file).key.name.startswith("gatehouse-")
    named = of_file | {"GATEHOUSE_LOG_NAME": "audit.example.com"}
    assert LogSettings.from_environment(named).key.name == "audit.example.com"
    with pytest.raises(SettingInvalid, match="GATEHOUSE_LOG_NAME"):
        LogSettings.from_environment(named | {"GATEHOUSE_LOG_NAME": "two words"})


def test_a_file_that_holds_no_log_key_is_named_and_not_shown(tmp_path):
    (tmp_path / "log.key").write_text("secret")
    with pytest.raises(SettingInvalid, match="GATEHOUSE_LOG_KEY_FILE") as raised:
        LogSettings.from_environment({"GATEHOUSE_LOG_KEY_FILE": str(tmp_path / "log.key")})
    assert "secret" not in str(raised.value)


def test_witnesses_are_lines_of_address_and_key():
    vkey = LogKey.parse(new_log_key()).vkey("w")
    lines = f"https://w1.example/ {vkey}\n\n  http://127.0.0.1:9 {vkey}  \n"
    found = LogSettings.from_environment({"GATEHOUSE_WITNESSES": lines}).witnesses
    assert [each.url for each in found] == ["https://w1.example", "http://127.0.0.1:9"]
    assert {each.key.kind for each in found} == {KeyKind.COSIGNATURE}


@pytest.mark.parametrize("line", ["https://w.example", "https://w.example x+y+z", "ftp://w.example a+b+c"])
def test_a_witness_that_cannot_be_asked_is_refused(line):
    with pytest.raises(SettingInvalid, match="GATEHOUSE_WITNESSES"):
        LogSettings.from_environment({"GATEHOUSE_WITNESSES": line})


def test_nothing_is_observed_unless_asked_for():
    settings = ObservationSettings.from_environment({}, api_port=8080)
    assert (settings.metrics_host, settings.metrics_port, settings.otlp_endpoint) == ("127.0.0.1", None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_METRICS_PORT", "0"),
        ("GATEHOUSE_METRICS_PORT", "nine"),
        ("GATEHOUSE_METRICS_PORT", "8080"),
        ("GATEHOUSE_OTLP_ENDPOINT", "collector:4318"),
        ("GATEHOUSE_OTLP_ENDPOINT", "http://user:secret@collector:4318"),
        ("GATEHOUSE_OTLP_ENDPOINT", "http://collector:4318/?key=secret"),
    ],
)
def test_a_wrong_setting_of_observation_is_named_and_not_shown(name, value):
    with pytest.raises(SettingInvalid, match=name) as raised:
        ObservationSettings.from_environment({name: value}, api_port=8080)
    assert "secret" not in str(raised.value)
