# SPDX-License-Identifier: Apache-2.0
"""Deliveries to real receivers: what arrives, and when a delivery says no."""

import ssl
from dataclasses import replace

import pytest

from controlplane.siem.delivery import DeliveryFailed, delivery_to
from controlplane.siem.sinks import Sink, SinkKind
from tests.authority import Authority
from tests.ports import unused_port
from tests.siem import HttpReceiver, SyslogReceiver, listening, make_message

SYSLOG = Sink(id="siem", kind=SinkKind.SYSLOG, url="tcp://127.0.0.1", host="127.0.0.1", port=0, tls=False)


def deliver(sink: Sink):
    return delivery_to(sink, log_name="gate.local", version="1")


def http_sink(port: int, kind: SinkKind = SinkKind.HTTP, **members) -> Sink:
    url = f"http://127.0.0.1:{port}/in"
    return Sink(**{"id": "siem", "kind": kind, "url": url, "host": "127.0.0.1", "port": port, "tls": False} | members)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ca")


def server_tls(files, *, client_ca=None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def test_syslog_arrives_in_order_on_one_connection():
    receiver = SyslogReceiver()
    with listening(receiver) as port:
        delivery = deliver(replace(SYSLOG, port=port))
        delivery.deliver([make_message(log_index=1), make_message(log_index=2)])
        delivery.deliver([make_message(log_index=3)])
        delivery.close()
    assert [line.split(b'index="')[1][:1] for line in receiver.lines] == [b"1", b"2", b"3"]
    assert receiver.connections == 1


def test_syslog_says_no_where_nobody_listens():
    with pytest.raises(DeliveryFailed, match="syslog receiver"):
        deliver(replace(SYSLOG, port=unused_port())).deliver([make_message()])


def test_syslog_notices_that_the_receiver_has_gone_and_connects_anew():
    receiver = SyslogReceiver(close_after=1)
    with listening(receiver) as port:
        delivery = deliver(replace(SYSLOG, port=port))
        delivered = 0
        for _ in range(50):
            try:
                delivery.deliver([make_message(text=b"x" * 100_000)])
                delivered += 1
            except DeliveryFailed:
                continue
            if receiver.connections > 1:
                break
        delivery.close()
    assert receiver.connections > 1
    assert receiver.lines


def test_syslog_over_tls_checks_the_name_and_shows_its_certificate(authority, tmp_path):
    server, client = authority.issue("server"), authority.issue("client")
    receiver = SyslogReceiver()
    with listening(receiver, tls=server_tls(server, client_ca=authority.path)) as port:
        sink = replace(
            SYSLOG,
            port=port,
            tls=True,
            ca_file=authority.path,
            certificate_file=client[0],
            key_file=client[1],
        )
        delivery = deliver(sink)
        delivery.deliver([make_message()])
        delivery.deliver([make_message()])
        delivery.close()
        with pytest.raises(DeliveryFailed):
            deliver(replace(sink, ca_file=None)).deliver([make_message()])
    assert len(receiver.lines) == 2


def test_http_gets_lines_with_a_key_by_which_a_repetition_is_known(tmp_path):
    receiver = HttpReceiver()
    with receiver.served() as port:
        (tmp_path / "token").write_text("secret-token\n")
        delivery = deliver(http_sink(port, token_file=tmp_path / "token"))
        delivery.deliver([make_message(log_index=4), make_message(log_index=9, text=b'{"kind":"gap"}')])
        delivery.close()
    ((path, headers, body),) = receiver.requests
    assert (path, body) == ("/in", b'{"kind":"terminal"}\n{"kind":"gap"}\n')
    assert headers["Idempotency-Key"] == "gate.local:4-9"
    assert headers["Authorization"] == "Bearer secret-token"
    assert headers["Content-Type"] == "application/x-ndjson"


@pytest.mark.parametrize("status", [301, 400, 401, 429, 500, 503])
def test_http_says_no_for_anything_but_success(status):
    receiver = HttpReceiver(statuses=[status])
    with receiver.served() as port:
        delivery = deliver(http_sink(port))
        with pytest.raises(DeliveryFailed, match=str(status)):
            delivery.deliver([make_message()])
        delivery.deliver([make_message()])
        delivery.close()
    assert len(receiver.requests) == 2


def test_a_token_that_cannot_be_read_is_a_no_that_does_not_show_it(tmp_path):
    with pytest.raises(DeliveryFailed) as raised:
        deliver(http_sink(unused_port(), token_file=tmp_path / "gone")).deliver([make_message()])
    assert "gone" not in str(raised.value)


def test_otlp_gets_protobuf():
    receiver = HttpReceiver()
    with receiver.served() as port:
        delivery = deliver(http_sink(port, SinkKind.OTLP))
        delivery.deliver([make_message()])
        delivery.close()
    ((_, headers, body),) = receiver.requests
    assert headers["Content-Type"] == "application/x-protobuf"
    assert b"gatehouse.log_index" in body
