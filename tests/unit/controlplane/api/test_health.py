# SPDX-License-Identifier: Apache-2.0
"""What a probe is told of a log that is not what was signed."""

from dataclasses import replace

from controlplane.app import create_app
from controlplane.services.sequencing import LogStatus
from tests.control_planes import make_plane, sqlite_url


class FakeSequencer:
    def __init__(self, *logs: LogStatus) -> None:
        self.logs = logs

    def status(self):
        return self.logs


def readyz(tmp_path, *logs: LogStatus):
    plane = replace(make_plane(sqlite_url(tmp_path)).plane, sequencer=FakeSequencer(*logs))
    client = create_app(plane, url="https://gatehouse.test").test_client()
    assert client.get("/healthz").status_code == 200
    return client.get("/readyz")


def test_a_log_that_is_signed_is_no_news(tmp_path):
    assert readyz(tmp_path, LogStatus(tenant="default", size=3)).json == {"status": "ready"}


def test_an_altered_log_is_said_with_its_tenant_and_what_differs(tmp_path):
    answer = readyz(tmp_path, LogStatus(tenant="a"), LogStatus(tenant="acme", altered="entry 7 is missing"))
    assert (answer.status_code, answer.json["code"]) == (503, "log-altered")
    assert "acme" in answer.json["detail"]
    assert "entry 7 is missing" in answer.json["detail"]
