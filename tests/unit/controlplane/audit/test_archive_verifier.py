# SPDX-License-Identifier: Apache-2.0
"""An archive that nobody touched holds; every way to touch one is found, and told as what it is."""

import json
import random

import pytest

from controlplane.audit import archive as written
from controlplane.audit.archive_files import ArchiveUnreadable, open_archive
from controlplane.audit.archive_verifier import verify_archive
from controlplane.audit.checkpoints import cosign
from controlplane.audit.note_keys import KeyKind, SignerKey
from tests.unit.controlplane.audit.archives import (
    LOG_KEY,
    ORDERLY,
    Log,
    dropped,
    request,
    start,
    with_digests,
    written_to,
)

LOG = Log(ORDERLY)
WITNESS = SignerKey.generate("witness.example/w1", KeyKind.COSIGNATURE)
LONG = Log([start(), *(request(seq) for seq in range(2, 301))])


@pytest.fixture
def verify(tmp_path):
    """Verify `files` as a zip, trusting the log's key unless told otherwise."""

    def run(files, *, keys=(LOG_KEY.verifier,), kept=()):
        path = written_to(tmp_path / "archive.zip", files)
        with open_archive(path) as archive:
            notes = [(f"kept-{size}", note.to_bytes()) for size, note in kept]
            return verify_archive(archive, keys=keys, kept=notes)

    return run


def texts(problems):
    return [problem.text for problem in problems.first]


def holds(report):
    return (report.integrity_verdict, report.completeness_verdict, report.exit_code)


@pytest.mark.parametrize("keys", [(), (LOG_KEY.verifier,)])
@pytest.mark.parametrize(
    ("first", "end", "size"), [(0, 30, 30), (0, 0, 0), (0, 17, 30), (5, 30, 30), (9, 11, 21), (4, 4, 9)]
)
def test_what_nobody_touched_holds(verify, first, end, size, keys):
    report = verify(LOG.files(first, end, size, earlier=(0, 3, 7, size)[: 4 if size > 7 else 1]), keys=keys)
    assert holds(report) == ("holds", "holds", 0), (report.integrity, report.incomplete)
    assert (report.entries, report.trust) == (end - first, "given" if keys else "archive")
    assert json.dumps(report.to_json())


def test_a_folder_is_as_good(tmp_path):
    for name, content in LOG.files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with open_archive(tmp_path) as archive:
        assert holds(verify_archive(archive)) == ("holds", "holds", 0)


def test_entries_of_several_files_are_one_range(verify, monkeypatch):
    monkeypatch.setattr(written, "ENTRIES_IN_A_FILE", 64)
    files = LONG.files(100, 300)
    assert sum(name.startswith("entries-") for name in files) == 4
    assert holds(verify(files)) == ("holds", "holds", 0)
    del files["entries-00003.ndjson"]
    report = verify(files)
    assert "entries 292-299 are missing at the end" in texts(report.integrity)


def test_what_retention_dropped_leaves_the_proof_whole(verify):
    log = Log([*ORDERLY, dropped(3, 9)])
    report = verify(log.files(without=range(3, 9)))
    assert (*holds(report), report.dropped) == ("holds", "holds", 0, 6)
    report = verify(log.files(without=range(3, 10)))
    assert (*holds(report), report.completeness.unrecorded_drops) == ("holds", "violated", 1, 1)


def test_witnesses_that_are_trusted_must_have_cosigned(verify):
    note = LOG.note(30)
    cosigned = note.with_signatures([cosign(note, WITNESS, at_s=1)]).to_bytes()
    keys = (LOG_KEY.verifier, WITNESS.verifier)
    report = verify(LOG.files(note=cosigned), keys=keys)
    assert (*holds(report), report.witnesses) == ("holds", "holds", 0, ["witness.example/w1"])
    report = verify(LOG.files(), keys=keys)
    assert (holds(report)[0], texts(report.integrity)) == (
        "violated",
        ["witness.example/w1 has not cosigned the checkpoint"],
    )
    # A log cosigns for itself, which its own key as a cosigner's asks for.
    assert holds(verify(LOG.files(), keys=(LOG_KEY.verifier, LOG_KEY.verifier.cosigner()))) == ("holds", "holds", 0)


LINES = LOG.files()["entries-00000.ndjson"].splitlines(keepends=True)


def entries(*lines):
    return {**LOG.files(), "entries-00000.ndjson": b"".join(lines)}


def forged(change, at=5):
    """Return an archive in which entry `at` is another and everything that needs no key says so."""
    log = Log([*ORDERLY[:at], change(ORDERLY[at]), *ORDERLY[at + 1 :]])
    return {**log.files(), "checkpoint": LOG.files()["checkpoint"]}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(entries(*LINES[:5], LINES[5].replace(b"req_6", b"req_7"), *LINES[6:]), "was altered", id="altered"),
        pytest.param(forged(lambda entry: entry.replace(b"req_6", b"req_7")), "another root", id="altered-with-its-hash"),
        pytest.param(entries(*LINES[:5], *LINES[6:]), "missing before it: 5", id="dropped"),
        pytest.param(entries(*LINES[:-2]), "28-29 are missing", id="truncated"),
        pytest.param(entries(*LINES[:5], LINES[6], LINES[5], *LINES[7:]), "not in its place", id="reordered"),
        pytest.param(entries(*LINES[:5], *LINES[4:]), "twice", id="duplicated"),
        pytest.param(entries(*LINES, LINES[3]), "stands twice", id="appended"),
        pytest.param({**LOG.files(), "checkpoint": Log(ORDERLY[:-1]).note(29).to_bytes()}, "checkpoint is of 29", id="older-note"),
        pytest.param({**LOG.files(), "range-proof.json": LOG.files(0, 29)["range-proof.json"]}, "another range", id="other-proof"),
        pytest.param({**LOG.files(), "range-proof.json": b"{}"}, "not a proof", id="no-proof"),
        pytest.param({**LOG.files(), "checkpoint": b"no note"}, "not signed", id="no-note"),
        pytest.param({**LOG.files(), "earlier/00000.json": b"{}"}, "is no checkpoint", id="bad-earlier"),
        pytest.param({**LOG.files(), "earlier/00000.json": Log(ORDERLY[1:]).files(earlier=(4,))["earlier/00000.json"]}, "not consistent", id="inconsistent-earlier"),
    ],
)  # fmt: skip
def test_what_was_altered_is_found_though_the_manifest_agrees(verify, files, said):
    report = verify(with_digests(files))
    assert (report.integrity_verdict, report.exit_code) == ("violated", 1)
    assert any(said in text for text in texts(report.integrity)), texts(report.integrity)


def test_a_file_that_is_not_as_the_manifest_says_is_named(verify):
    files = LOG.files(others={"summary.md": b"fine\n"})
    assert texts(verify({**files, "summary.md": b"fine!\n"}).integrity) == [
        "summary.md is not the file that the manifest names"
    ]
    assert texts(verify({**files, "more.md": b""}).integrity) == ["more.md is not in the manifest"]
    del files["summary.md"]
    assert texts(verify(files).integrity) == ["summary.md is missing"]


def test_a_log_rewritten_and_signed_again_is_another_log_s(verify):
    other = Log([ORDERLY[0], request(2, request_id="forged"), *ORDERLY[2:]], key=SignerKey.generate(LOG_KEY.name))
    assert holds(verify(other.files(), keys=())) == ("holds", "holds", 0)
    report = verify(other.files())
    assert (report.integrity_verdict, texts(report.integrity)[0]) == (
        "violated",
        "checkpoint is not signed by the log: no known key signed it",
    )


@pytest.mark.parametrize("size", [0, 1, 12, 29, 30])
def test_a_checkpoint_that_was_kept_agrees(verify, size):
    assert holds(verify(LOG.files(), kept=[(size, LOG.note(size))])) == ("holds", "holds", 0)


@pytest.mark.parametrize("size", [2, 12, 29, 30])
def test_a_rewritten_history_contradicts_a_checkpoint_that_was_kept(verify, size):
    rewritten = Log([ORDERLY[0], request(2, request_id="forged"), *ORDERLY[2:]])
    assert holds(verify(rewritten.files()))[0] == "holds"
    report = verify(rewritten.files(), kept=[(size, LOG.note(size))])
    assert (report.integrity_verdict, len(texts(report.integrity))) == ("violated", 1)


def test_an_archive_of_before_the_tail_was_cut_ends_too_early(verify):
    report = verify(LOG.files(0, 20, 20), kept=[(30, LOG.note(30))])
    assert holds(report) == ("holds", "violated", 1)
    assert "ends at a log of 20 entries" in texts(report.incomplete)[0]


def test_a_checkpoint_before_the_range_needs_a_proof(verify):
    kept = [(4, LOG.note(4))]
    assert holds(verify(LOG.files(9, 30, earlier=(4,)), kept=kept)) == ("holds", "holds", 0)
    assert "nothing in the archive leads" in texts(verify(LOG.files(9, 30), kept=kept).incomplete)[0]
    other = Log([request(1), *ORDERLY[1:]])
    assert "contradicts" in texts(verify(LOG.files(9, 30, earlier=(4,)), kept=[(4, other.note(4))]).integrity)[0]


def test_a_kept_checkpoint_of_another_key_is_worth_nothing(verify):
    report = verify(LOG.files(), kept=[(3, LOG.note(3, key=SignerKey.generate(LOG_KEY.name)))])
    assert (report.integrity_verdict, len(texts(report.integrity))) == ("violated", 1)


@pytest.mark.parametrize("manifest", [None, b"", b"{}", b"[]", b"{" * 10_000])
def test_without_a_manifest_there_is_no_archive(verify, manifest):
    files = LOG.files()
    del files["manifest.json"]
    with pytest.raises(ArchiveUnreadable, match=r"manifest\.json"):
        verify(files if manifest is None else {**files, "manifest.json": manifest})


@pytest.mark.parametrize("name", ["checkpoint", "range-proof.json", "entries-00000.ndjson", "keys/0.vkey", "earlier/00000.json"])  # fmt: skip
def test_without_any_other_file_there_is_a_verdict(verify, name):
    files = LOG.files(earlier=(7,))
    del files[name]
    report = verify(files, keys=())
    assert (report.integrity_verdict, report.exit_code) == ("violated", 1)
    for content in (b"", b"\0" * 5000, b"{", b"\xff\xfe", b'{"index":' + b"9" * 5000 + b"}\n"):
        report = verify({**LOG.files(earlier=(7,)), name: content}, keys=())
        assert (report.integrity_verdict, report.exit_code) == ("violated", 1)


def test_no_bit_flipped_at_random_goes_unseen(verify):
    """Of every file, with a manifest that agrees: what the manifest alone covers is covered by it alone."""
    files, choice = LOG.files(), random.Random(5)
    for name in ("checkpoint", "range-proof.json", "entries-00000.ndjson"):
        for _ in range(40):
            content = bytearray(files[name])
            content[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
            report = verify(with_digests({**files, name: bytes(content)}))
            if report.integrity_verdict == "violated":
                continue
            # A cosignature of a key that is not known any more, or white space between JSON's tokens.
            assert name == "checkpoint" or json.loads(content) == json.loads(files[name])
            assert report.entries == 30


def test_an_archive_cut_anywhere_is_refused_or_violated(tmp_path):
    whole = written_to(tmp_path / "whole.zip", LOG.files()).read_bytes()
    cut = tmp_path / "cut.zip"
    for length in range(0, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(ArchiveUnreadable), open_archive(cut) as archive:
            verify_archive(archive)


def test_a_zip_altered_anywhere_never_ends_the_verifier(tmp_path):
    whole, choice = written_to(tmp_path / "whole.zip", LOG.files()).read_bytes(), random.Random(7)
    path = tmp_path / "altered.zip"
    for _ in range(300):
        altered = bytearray(whole)
        for _ in range(choice.randrange(1, 4)):
            altered[choice.randrange(len(altered))] = choice.randrange(256)
        path.write_bytes(altered)
        try:
            with open_archive(path) as archive:
                report = verify_archive(archive, keys=[LOG_KEY.verifier])
        except ArchiveUnreadable:
            continue
        assert json.dumps(report.to_json())


def test_entries_that_unpack_without_end_are_read_no_further_than_one_line(tmp_path, verify):
    """200 MB of zeros in 200 kB: one line that never ends."""
    files = with_digests({**LOG.files(), "entries-00000.ndjson": b"\0" * 200_000_000})
    report = verify(files)
    assert any("more than" in text for text in texts(report.integrity))


def test_problems_without_end_end_the_reading(verify):
    report = verify(with_digests({**LOG.files(), "entries-00000.ndjson": b"{}\n" * 1_000_000}))
    assert report.integrity.count < 10_100
