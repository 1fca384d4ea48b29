# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest

from controlplane.local.home import Home
from controlplane.local.parts import CONTROL_PLANE_OPTIONS, NODE_OPTIONS, RunSettings, control_plane, proxy

CERTIFICATE = {"GATEHOUSE_PROXY_CERT_FILE": "/tls/tls.crt", "GATEHOUSE_PROXY_KEY_FILE": "/tls/tls.key"}


def settings(**changed: Any) -> RunSettings:
    return RunSettings(
        **{
            "home": Home(Path("/home/gatehouse")),
            "api_port": 8080,
            "proxy_port": 8000,
            "health_port": 8001,
            "upstream": "https://inference.example.com",
            "upstream_key_file": None,
            "opa": None,
            "workers": 2,
        }
        | changed
    )


def test_the_node_is_handed_what_the_caller_chose():
    options = CERTIFICATE | {"GATEHOUSE_MAX_REQUESTS": "7"}
    told = proxy(settings(node_options=options), upstream="https://inference.example.com").environment
    assert options.items() <= told.items()
    assert told["GATEHOUSE_HEALTH_PORT"] == "8001"


def test_an_option_is_a_setting_of_the_node():
    page = Path(__file__).parents[4] / "docs" / "reference" / "proxy-settings.md"
    assert [name for name in NODE_OPTIONS if f"`{name}`" not in page.read_text()] == []


@pytest.mark.parametrize(
    ("options", "want"),
    [
        pytest.param(CERTIFICATE, "https://127.0.0.1:8000", id="with-a-certificate"),
        pytest.param({}, "http://127.0.0.1:8000", id="without-one"),
    ],
)
def test_the_proxys_address_says_whether_it_speaks_tls(options: dict[str, str], want: str):
    assert settings(node_options=options).proxy_url == want


def test_no_option_takes_the_place_of_what_the_home_holds():
    own = proxy(settings(), upstream="https://inference.example.com").environment
    assert not set(own) & set(NODE_OPTIONS)


def test_the_demonstrations_own_server_screens_prompts():
    told = proxy(settings(upstream=None), upstream="https://127.0.0.1:9").environment
    assert told["GATEHOUSE_SCREEN_URL"] == "https://127.0.0.1:9"
    assert told["GATEHOUSE_SCREEN_CERT_FILE"] == told["GATEHOUSE_UPSTREAM_CERT_FILE"]


def test_another_upstream_is_not_taken_for_a_screen():
    told = proxy(settings(), upstream="https://inference.example.com").environment
    assert not any(name.startswith("GATEHOUSE_SCREEN_") for name in told)


@pytest.mark.parametrize("upstream", [None, "https://inference.example.com"])
def test_the_caller_may_choose_another_screen(upstream: str | None):
    of = settings(upstream=upstream, node_options={"GATEHOUSE_SCREEN_URL": "unix:/run/screen.sock"})
    told = proxy(of, upstream="https://127.0.0.1:9").environment
    screen = {name: value for name, value in told.items() if name.startswith("GATEHOUSE_SCREEN_")}
    assert screen == {"GATEHOUSE_SCREEN_URL": "unix:/run/screen.sock"}


def test_the_demonstration_trusts_the_homes_authority_whatever_the_environment_says():
    of = settings(upstream=None, node_options={"GATEHOUSE_UPSTREAM_CA_FILE": "/other.pem"})
    told = proxy(of, upstream="https://127.0.0.1:9").environment
    assert told["GATEHOUSE_UPSTREAM_CA_FILE"] == "/home/gatehouse/ca/ca.pem"


def test_the_control_planes_metrics_are_on_a_port_of_their_own_unless_the_caller_chose_one():
    assert control_plane(settings(metrics_port=8002)).environment["GATEHOUSE_METRICS_PORT"] == "8002"
    chosen = {"GATEHOUSE_METRICS_PORT": "9464", "GATEHOUSE_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert chosen.items() <= control_plane(settings(control_plane_options=chosen)).environment.items()


def test_an_option_of_the_control_plane_is_one_of_its_settings():
    page = (Path(__file__).parents[4] / "docs" / "reference" / "control-plane-settings.md").read_text()
    assert [name for name in CONTROL_PLANE_OPTIONS if f"`{name}`" not in page] == []
