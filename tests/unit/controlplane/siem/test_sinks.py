# SPDX-License-Identifier: Apache-2.0
"""The file of sinks: what it says, and every mistake in it by name."""

import pytest

from controlplane.services.records import EntryKind
from controlplane.siem.sinks import DEFAULT_KINDS, Shape, SinkKind, SinksInvalid, parse_sinks, read_sinks


def sink(**members: str) -> str:
    lines = {"id": '"siem"', "kind": '"syslog"', "url": '"tls://siem.example"'} | members
    return "[[sink]]\n" + "\n".join(f"{name} = {value}" for name, value in lines.items() if value) + "\n"


def test_a_sink_has_defaults():
    (found,) = parse_sinks(sink())
    assert (found.kind, found.host, found.port, found.tls) == (SinkKind.SYSLOG, "siem.example", 6514, True)
    assert (found.shape, found.tenant, found.kinds) == (Shape.RECORD, "default", DEFAULT_KINDS)


def test_every_member_is_read(tmp_path):
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    (found,) = parse_sinks(
        sink(
            kind='"otlp"',
            url='"https://collector.example:4319/v1/logs"',
            format='"ecs"',
            tenant='"acme"',
            kinds='["gap", "admin"]',
            ca_file=f'"{tmp_path}/ca"',
            certificate_file=f'"{tmp_path}/cert"',
            key_file=f'"{tmp_path}/key"',
            token_file=f'"{tmp_path}/key"',
        )
    )
    assert (found.port, found.shape, found.tenant) == (4319, Shape.ECS, "acme")
    assert found.kinds == {EntryKind.GAP, EntryKind.ADMIN}
    assert (found.ca_file, found.token_file) == (tmp_path / "ca", tmp_path / "key")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("x = 1", "x: unknown", id="unknown-table"),
        pytest.param("[sink]\nid='a'", "[[sink]]", id="one-table-instead-of-a-list"),
        pytest.param("[[sink]", "not TOML", id="no-toml"),
        pytest.param(sink(colour='"red"'), "sink 1: colour: unknown", id="unknown-member"),
        pytest.param(sink(id=""), "sink 1: id: a text, which a sink must have", id="no-id"),
        pytest.param(sink(id='"A b"'), "sink 1: id: lower-case", id="id-of-other-letters"),
        pytest.param(sink() + sink(), "sink 2: id: 'siem' is taken", id="id-twice"),
        pytest.param(sink(kind='"fax"'), "sink 1: kind: one of syslog, http, otlp", id="unknown-kind"),
        pytest.param(
            sink(url='"http://siem.example"'), "sink 1: url: a URL such as tls://", id="scheme-of-another-kind"
        ),
        pytest.param(sink(url='"tls://user:pw@siem.example"'), "without user", id="user-in-url"),
        pytest.param(sink(url='"tls://siem.example/path"'), "syslog has no path", id="path-for-syslog"),
        pytest.param(sink(url='"tls://siem.example:0"'), "a port from 1", id="port-zero"),
        pytest.param(sink(url='"tls://siem.example:99999"'), "sink 1: url", id="port-beyond"),
        pytest.param(sink(url='"tcp://10.0.0.1:601"'), "without TLS to this machine only", id="plain-to-elsewhere"),
        pytest.param(sink(kinds='["terminal", "gossip"]'), "sink 1: kinds: a list of", id="unknown-kind-of-entry"),
        pytest.param(sink(kinds="[]"), "sink 1: kinds", id="no-kind-of-entry"),
        pytest.param(sink(ca_file='"ca.pem"'), "ca_file: an absolute path", id="relative-path"),
        pytest.param(sink(ca_file='"/nowhere/ca.pem"'), "ca_file: names no file", id="no-such-file"),
        pytest.param(sink(key_file='"/dev/null"'), "both certificate_file and key_file", id="key-alone"),
        pytest.param(sink(format='"xml"'), "sink 1: format: one of record, ocsf, ecs", id="unknown-format"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, want):
    with pytest.raises(SinksInvalid) as raised:
        parse_sinks(text)
    assert want in str(raised.value)


def test_plain_connections_may_go_to_this_machine_without_credentials_only(tmp_path):
    (tmp_path / "token").touch()
    plain = {"kind": '"http"', "url": '"http://127.0.0.1:8088/in"'}
    assert not parse_sinks(sink(**plain))[0].tls
    with pytest.raises(SinksInvalid, match="credentials go over TLS only"):
        parse_sinks(sink(**plain, token_file=f'"{tmp_path}/token"'))


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SinksInvalid) as raised:
        parse_sinks(sink(kind='"fax"', id='"A"'))
    assert len(str(raised.value).splitlines()) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SinksInvalid, match="GATEHOUSE_SINKS_FILE"):
        read_sinks(tmp_path / "none.toml")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(SinksInvalid, match="UTF-8"):
        read_sinks(tmp_path / "latin")
