# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from proxy_addons.clients.spool import HIGH_WATER_BYTES, RESERVE_BYTES
from proxy_addons.http1.bounds import Bounds
from proxy_addons.settings import GuardEngineName, NodeSettings, SettingInvalid

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference" / "proxy-settings.md"


@pytest.fixture
def variables(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("ab" * 32 + "\n")
    return {
        "GATEHOUSE_NODE_DIR": str(tmp_path / "node"),
        "GATEHOUSE_PROXY_PORT": "8000",
        "GATEHOUSE_HEALTH_PORT": "8001",
        "GATEHOUSE_API_URL": "http://127.0.0.1:8080",
        "GATEHOUSE_AGENT_TOKEN_FILE": str(secret),
        "GATEHOUSE_BUNDLE_KEY_FILE": str(secret),
        "GATEHOUSE_KEY_PEPPER_FILE": str(secret),
        "GATEHOUSE_PSEUDONYM_KEY_FILE": str(secret),
        "GATEHOUSE_UPSTREAM_URL": "https://inference.example:8443/",
    }


def test_defaults(variables):
    settings = NodeSettings.read(variables)
    assert (settings.tenant, settings.environment) == ("default", "production")
    assert settings.guard_engine is GuardEngineName.OPA
    assert settings.bundle_key_id == "gatehouse-1"
    assert settings.upstream.url == "https://inference.example:8443"
    assert settings.workers >= 1
    assert settings.redis_url is None
    assert settings.proxy_hosts == frozenset()


def test_host_names_are_a_list(variables):
    variables["GATEHOUSE_PROXY_HOSTS"] = "Gateway.example, 10.0.0.7:8443,[::1]:80"
    assert NodeSettings.read(variables).proxy_hosts == {"gateway.example", "10.0.0.7:8443", "[::1]:80"}


def test_limits_default_to_the_bounds_that_say_why(variables):
    given, bounds = NodeSettings.read(variables).limits, Bounds()
    assert (given.connections, given.requests) == (bounds.connections, bounds.requests)
    assert given.upstream_first_byte_s == bounds.first_byte_s
    assert given.upstream_idle_s == bounds.upstream_idle_s
    assert given.upstream_total_s == bounds.upstream_total_s


@pytest.mark.parametrize(
    "required", ["NODE_DIR", "PROXY_PORT", "HEALTH_PORT", "API_URL", "UPSTREAM_URL", "KEY_PEPPER_FILE"]
)
def test_a_missing_variable_is_named(variables, required):
    del variables[f"GATEHOUSE_{required}"]
    with pytest.raises(SettingInvalid, match=f"GATEHOUSE_{required}: is not set"):
        NodeSettings.read(variables)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PROXY_HOSTS", "https://gateway.example"),
        ("PROXY_HOSTS", "*.example"),
        ("PROXY_PORT", "0"),
        ("PROXY_PORT", "65536"),
        ("PROXY_PORT", "80x"),
        ("PROXY_PORT", "٨٠"),
        ("WORKERS", "0"),
        ("NODE_ID", "a/b"),
        ("NODE_ID", ".."),
        ("TENANT", "a b"),
        ("API_URL", "ftp://x"),
        ("API_URL", "http://user:secret@x"),
        ("API_URL", "http://x/path"),
        ("API_URL", "http://x?query"),
        ("API_URL", "http://x:port"),
        ("API_URL", "http://"),
        ("GUARD_ENGINE", "none"),
        ("AGENT_TOKEN_FILE", "/nowhere"),
        ("UPSTREAM_CERT_FILE", "/dev/null"),
        ("PROXY_CERT_FILE", "/nowhere"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_REQUESTS", "-1"),
        ("UPSTREAM_FIRST_BYTE_S", "0"),
        ("UPSTREAM_IDLE_S", "1.5"),
        ("UPSTREAM_TOTAL_S", "86401"),
        ("PROXY_KEY_FILE", "/nowhere"),
    ],
)
def test_a_wrong_value_is_refused_by_the_variables_name_and_not_shown(variables, variable, value):
    variables[f"GATEHOUSE_{variable}"] = value
    with pytest.raises(SettingInvalid, match=f"GATEHOUSE_{variable}") as refused:
        NodeSettings.read(variables)
    assert "secret" not in str(refused.value)


def test_a_certificate_needs_its_key(variables):
    variables["GATEHOUSE_UPSTREAM_CERT_FILE"] = variables["GATEHOUSE_BUNDLE_KEY_FILE"]
    with pytest.raises(SettingInvalid, match="GATEHOUSE_UPSTREAM_CERT_FILE: set it together"):
        NodeSettings.read(variables)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        (("CERT",), "PROXY_CERT_FILE: set it together"),
        (("KEY",), "PROXY_CERT_FILE: set it together"),
        (("CLIENT_CA",), "PROXY_CLIENT_CA_FILE: needs"),
    ],
)
def test_half_of_a_data_ports_tls_is_refused(variables, named, problem):
    variables |= {f"GATEHOUSE_PROXY_{name}_FILE": variables["GATEHOUSE_BUNDLE_KEY_FILE"] for name in named}
    with pytest.raises(SettingInvalid, match=f"GATEHOUSE_{problem}"):
        NodeSettings.read(variables)


def test_the_data_port_speaks_tls_where_its_files_are_named(variables):
    assert NodeSettings.read(variables).proxy_tls is None
    file = variables["GATEHOUSE_BUNDLE_KEY_FILE"]
    variables |= {f"GATEHOUSE_PROXY_{name}_FILE": file for name in ("CERT", "KEY")}
    tls = NodeSettings.read(variables).proxy_tls
    assert (str(tls.cert_file), str(tls.key_file), tls.client_ca_file) == (file, file, None)


def test_the_spools_numbers_default_to_those_that_say_why(variables):
    settings = NodeSettings.read(variables)
    assert (settings.spool_max_bytes, settings.spool_reserve_bytes) == (HIGH_WATER_BYTES, RESERVE_BYTES)


def test_the_reference_lists_what_is_read():
    sources = [
        *(ROOT / "proxy_addons" / name for name in ("settings.py", "screen_settings.py")),
        ROOT / "proxy_addons" / "opa_pool" / "settings.py",
    ]
    read = {
        f"GATEHOUSE_{name}"
        for source in sources
        for name in re.findall(r'read\.\w+\(\s*"([A-Z_]+)"', source.read_text())
    }
    assert read == set(re.findall(r"^\| `(GATEHOUSE_\w+)`", REFERENCE.read_text(), re.MULTILINE))


def test_there_is_no_telemetry_unless_a_collector_is_named(variables):
    settings = NodeSettings.read(variables)
    assert (settings.otlp_endpoint, settings.otlp_interval_s) == (None, 60)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("https://collector.example/otlp/", "https://collector.example/otlp"),
    ],
)
def test_a_collector_has_a_base_url(variables, given, read):
    assert NodeSettings.read(variables | {"GATEHOUSE_OTLP_ENDPOINT": given}).otlp_endpoint == read


@pytest.mark.parametrize(
    "wrong",
    [
        "collector.example:4318",
        "grpc://collector.example:4317",
        "http://user:secret@collector.example",
        "http://collector.example/?token=secret",
        "http://collector.example:99999",
        "http://[collector",
        "http://",
    ],
)
def test_a_collector_that_is_no_base_url_is_named_without_its_text(variables, wrong):
    with pytest.raises(SettingInvalid, match="GATEHOUSE_OTLP_ENDPOINT") as raised:
        NodeSettings.read(variables | {"GATEHOUSE_OTLP_ENDPOINT": wrong})
    assert "secret" not in str(raised.value)
