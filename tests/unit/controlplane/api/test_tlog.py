# SPDX-License-Identifier: Apache-2.0
"""The log as an auditor's tools read it: what is served verifies with nothing but the log's key."""

from base64 import b64decode

import pytest

from controlplane.audit.checkpoints import open_checkpoint
from controlplane.audit.entry_tiles import parse_entries_tile
from controlplane.audit.frontier import Frontier, split
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.proof_texts import TlogProof
from controlplane.audit.verification import verify_consistency, verify_inclusion
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.store.leadership import leadership
from tests.control_planes import PlaneUnderTest, make_plane, sqlite_url
from tests.records import make_record

KEY = LogKey.parse(new_log_key())
LOG = VerifierKey.parse(KEY.vkey("default"))


class Audited:
    def __init__(self, plane: PlaneUnderTest) -> None:
        self.plane = plane
        self.sequencer = Sequencer(
            store=plane.store,
            leadership=leadership(plane.store._engine, plane.clock),
            key=KEY,
            clock=plane.clock,
            new_id=new_ulid,
            pseudonym_key=b"p" * 32,
        )
        self.at = 0

    def grow(self, count: int) -> None:
        self.plane.ingest(*(make_record(seq=self.at + number) for number in range(1, count + 1)))
        self.at += count

    def get(self, path: str, **query: object):
        return self.plane.call("GET", path, "auditor", query_string={k: str(v) for k, v in query.items()})

    def checkpoint(self):
        answer = self.get("/tlog/default/checkpoint")
        assert answer.status_code == 200, answer.text
        return open_checkpoint(answer.data, [LOG]).checkpoint


@pytest.fixture
def log(tmp_path) -> Audited:
    return Audited(make_plane(sqlite_url(tmp_path)))


def test_checkpoint_tiles_and_entries_are_one_tree(log):
    log.grow(5)
    log.sequencer.step()
    checkpoint = log.checkpoint()
    tile = log.get(f"/tlog/default/tile/0/000.p/{checkpoint.size}")
    entries = parse_entries_tile(log.get(f"/tlog/default/tile/entries/000.p/{checkpoint.size}").data)
    assert list(map(leaf_hash, entries)) == list(split(tile.data))
    assert Frontier().append(split(tile.data)).root() == checkpoint.root
    assert tile.content_type == "application/octet-stream"
    assert "immutable" in tile.headers["Cache-Control"]
    answer = log.get("/tlog/default/checkpoint")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "0/000.p/99",
        "0/000",
        "1/000.p/1",
        "0/001.p/1",
        "0/x000/000.p/1",
        "0/0.p/1",
        "entries/000.p/99",
        "x/000",
        "0/000.p/0",
    ],
)
def test_what_no_signed_tree_has_is_not_there(log, path):
    log.grow(3)
    log.sequencer.step()
    assert log.checkpoint().size < 99
    answer = log.get(f"/tlog/default/tile/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "tile-unknown")


def test_nothing_is_shown_before_it_is_signed(log):
    log.grow(3)
    assert log.get("/tlog/default/checkpoint").json["code"] == "nothing-signed"
    log.sequencer.step()
    size = log.checkpoint().size
    log.grow(1)
    assert log.get("/v1/audit/proofs/inclusion", index=size).json["code"] == "entry-unknown"
    assert log.get(f"/tlog/default/tile/0/000.p/{size + 1}").status_code == 404
    assert log.get("/v1/audit/proofs/inclusion", index=0, tree_size=size + 1).json["code"] == "checkpoint-unknown"


def test_another_tenants_log_is_not_there(log):
    log.grow(3)
    log.sequencer.step()
    assert log.get("/tlog/other/checkpoint").json["code"] == "log-unknown"
    assert log.get("/tlog/other/tile/0/000.p/1").json["code"] == "log-unknown"


def test_every_entry_is_proved_at_every_signed_size(log):
    sizes = []
    for count in (1, 2, 4):
        log.grow(count)
        log.sequencer.step()
        sizes.append(log.checkpoint().size)
    for size in sizes:
        for index in range(size):
            proof = log.get("/v1/audit/proofs/inclusion", index=index, tree_size=size).json
            opened = open_checkpoint(proof["checkpoint"].encode(), [LOG]).checkpoint
            verify_inclusion(
                b64decode(proof["leaf_hash"]),
                [*map(b64decode, proof["hashes"])],
                index=index,
                size=opened.size,
                root=opened.root,
            )
            assert (proof["origin"], proof["leaf_index"], opened.size) == (f"{KEY.name}/default", index, size)


def test_checkpoints_are_listed_and_consistent_with_each_other(log):
    for count in (1, 2, 4):
        log.grow(count)
        log.sequencer.step()
    items = log.get("/v1/audit/checkpoints").json["items"]
    opened = [open_checkpoint(item["note"].encode(), [LOG]).checkpoint for item in items]
    assert [item["size"] for item in items] == [each.size for each in opened]
    for older in opened:
        for newer in (each for each in opened if each.size >= older.size):
            proof = log.get("/v1/audit/proofs/consistency", first=older.size, second=newer.size).json
            verify_consistency(
                [*map(b64decode, proof["hashes"])],
                first=older.size,
                second=newer.size,
                first_root=older.root,
                second_root=newer.root,
            )


def test_a_record_is_proved_by_its_id_as_json_and_as_text(log):
    log.grow(3)
    log.sequencer.step()
    path = "/v1/audit/records/rec_b0_2/proof"
    proof = log.get(path).json
    text = log.plane.call("GET", path, "auditor", headers={"Accept": "text/plain"})
    parsed = TlogProof.parse(text.data)
    assert text.content_type == "text/plain; charset=utf-8"
    assert (parsed.index, list(parsed.hashes)) == (proof["leaf_index"], [*map(b64decode, proof["hashes"])])
    entry = log.plane.store
    with entry.read() as session:
        envelope = session.log.entry("default", parsed.index).envelope
    assert b'"rec_b0_2"' in envelope
    assert leaf_hash(envelope) == b64decode(proof["leaf_hash"])


@pytest.mark.parametrize(
    ("path", "query", "want"),
    [
        pytest.param("/v1/audit/proofs/inclusion", {}, (400, "query-invalid"), id="neither-index-nor-record"),
        pytest.param(
            "/v1/audit/proofs/inclusion", {"index": 1, "record_id": "r"}, (400, "query-invalid"), id="index-and-record"
        ),
        pytest.param("/v1/audit/proofs/inclusion", {"index": -1}, (400, "query-invalid"), id="a-negative-index"),
        pytest.param("/v1/audit/proofs/inclusion", {"index": 2**53}, (400, "query-invalid"), id="an-absurd-index"),
        pytest.param("/v1/audit/proofs/inclusion", {"record_id": "rec_x"}, (404, "entry-unknown"), id="no-such-record"),
        pytest.param("/v1/audit/proofs/consistency", {}, (400, "query-invalid"), id="no-first-size"),
        pytest.param("/v1/audit/proofs/consistency", {"first": 99}, (400, "query-invalid"), id="more-than-signed"),
        pytest.param("/v1/audit/proofs/consistency", {"first": 2, "second": 1}, (400, "query-invalid"), id="backwards"),
        pytest.param("/v1/audit/records/rec_x/proof", {}, (404, "entry-unknown"), id="no-such-record-by-path"),
    ],
)
def test_what_makes_no_sense_is_refused(log, path, query, want):
    log.grow(3)
    log.sequencer.step()
    answer = log.get(path, **query)
    assert (answer.status_code, answer.json["code"]) == want
