# SPDX-License-Identifier: Apache-2.0
"""The files of an archive: what stands in them, in which order, in bounded pieces."""

import hashlib
import json
from dataclasses import replace

import pytest

from controlplane.audit import archive
from controlplane.audit.archive import ArchivedEntry, archive_files, entry_line
from controlplane.audit.hashes import leaf_hash
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log

LOG = Log(ORDERLY)


def test_the_manifest_names_every_other_file_by_its_content():
    files = LOG.files(earlier=(3, 7), others={"policies/p.yaml": b"kind: access\n"})
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {
        name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert sorted(files) == [
        "checkpoint",
        "earlier/00000.json",
        "earlier/00001.json",
        "entries-00000.ndjson",
        "keys/0.vkey",
        "policies/p.yaml",
        "range-proof.json",
    ]
    assert {name: manifest[name] for name in ("schema", "tenant", "origin", "first", "end", "size", "made_at")} == {
        "schema": "gatehouse.archive/1",
        "tenant": "acme",
        "origin": LOG_KEY.name,
        "first": 0,
        "end": 30,
        "size": 30,
        "made_at": "2026-11-20T18:00:00Z",
    }


def test_a_line_holds_the_entry_as_it_is():
    text = '{"text":"ä \\" \u2028"}'
    entry = ArchivedEntry(index=7, leaf_hash=leaf_hash(text.encode()), envelope=text.encode(), payload=b"{}")
    line = json.loads(entry_line(entry))
    assert (line["index"], line["envelope"], line["payload"]) == (7, text, "{}")
    gone = json.loads(entry_line(replace(entry, envelope=None, payload=None)))
    assert gone == {"index": 7, "leaf_hash": line["leaf_hash"], "dropped": True}
    assert entry_line(entry).endswith(b"}\n")


@pytest.mark.parametrize(("first", "end", "files"), [(0, 0, 0), (0, 8, 1), (0, 9, 2), (5, 30, 4), (3, 3, 0)])
def test_entries_stand_in_files_of_a_fixed_number(monkeypatch, first, end, files):
    monkeypatch.setattr(archive, "ENTRIES_IN_A_FILE", 8)
    monkeypatch.setattr(archive, "_PIECE_BYTES", 700)
    written = LOG.files(first, end)
    names = [name for name in written if name.startswith("entries-")]
    assert names == [f"entries-{number:05}.ndjson" for number in range(files)]
    lines = [json.loads(line) for name in names for line in written[name].splitlines()]
    assert [line["index"] for line in lines] == list(range(first, end))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (lambda entries: entries[:-1], "end at 29"),
        (lambda entries: entries[1:], "entry 1 is given where 0"),
        (lambda entries: [*entries[:3], *entries[4:]], "entry 4 is given where 3"),
        (lambda entries: [entries[0], *entries], "entry 0 is given where 1"),
        (lambda entries: [*entries, replace(entries[0], index=30)], "and 30 the end"),
        (lambda entries: [], "end at 0"),
    ],
)
def test_entries_that_are_not_the_range_are_refused(given, why):
    files = archive_files(LOG.head(), given(list(LOG.entries())))
    with pytest.raises(ValueError, match=why):
        [list(pieces) for _, pieces in files]


def test_entries_are_taken_as_they_are_written():
    taken = []

    def entries():
        for entry in LOG.entries():
            taken.append(entry.index)
            yield entry

    for name, pieces in archive_files(LOG.head(), entries()):
        if not name.startswith("entries-"):
            assert taken == ([] if name != "manifest.json" else list(range(30)))
        list(pieces)
