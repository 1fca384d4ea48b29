# SPDX-License-Identifier: Apache-2.0
"""Sinks beside a store: entries arrive, and threads end with the context."""

import threading
import time

from controlplane.identifiers import utc_now
from controlplane.siem.serving import pushing
from controlplane.siem.sinks import parse_sinks
from tests.control_planes import make_plane
from tests.records import make_record
from tests.siem import HttpReceiver, SyslogReceiver, listening


def test_every_sink_gets_the_log_and_threads_end(tmp_path):
    under_test = make_plane(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    lines = b"".join(make_record(seq=number).to_line() for number in range(1, 6))
    headers = {"Content-Type": "application/x-ndjson"}
    assert under_test.call("POST", "/v1/records", "agent", data=lines, headers=headers).status_code == 200
    syslog, http = SyslogReceiver(), HttpReceiver(statuses=[503])
    with listening(syslog) as syslog_port, http.served() as http_port:
        sinks = parse_sinks(
            f'[[sink]]\nid = "a"\nkind = "syslog"\nurl = "tcp://127.0.0.1:{syslog_port}"\n'
            f'[[sink]]\nid = "b"\nkind = "http"\nformat = "ecs"\nurl = "http://127.0.0.1:{http_port}/in"\n'
        )
        with pushing(sinks, store=under_test.store, clock=utc_now, log_name="gate.local", version="1") as pushed:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and (len(syslog.lines) < 5 or len(http.requests) < 2):
                time.sleep(0.05)
            lags = pushed.lags()
    under_test.store.close()
    assert [line.count(b'"node-1/w0"') for line in syslog.lines] == [1] * 5
    refused, taken = (body for _, _, body in http.requests)
    assert refused == taken
    assert taken.count(b"\n") == 5
    assert set(lags) == {"a", "b"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sink-")]
