# SPDX-License-Identifier: Apache-2.0
import socket

import httpx
import pytest

from controlplane.metrics_port import metrics_port
from controlplane.settings import SettingInvalid


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=10)


def test_the_page_is_there_and_nothing_else(free_port):
    with metrics_port("127.0.0.1", free_port, page=lambda: b"a_total 1\n"):
        answer = get(free_port, "/metrics")
        assert (answer.status_code, answer.text) == (200, "a_total 1\n")
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert get(free_port, "/v1/policies").status_code == 404
    with pytest.raises(httpx.ConnectError):
        get(free_port, "/metrics")


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(SettingInvalid, match="GATEHOUSE_METRICS_PORT"),
            metrics_port("127.0.0.1", port, page=lambda: b""),
        ):
            pass
