# SPDX-License-Identifier: Apache-2.0
"""Each alteration of the suite changes an archive, and leaves one that our own verifier judges as its row says."""

import base64
import json

import pytest

from conformance.alterations import HOLDS, NotThere, as_it_is, dropped, entries_of, leaf_hash, root_of, signed_anew
from conformance.cases.log import LOG_CASES
from controlplane.audit.archive_files import ArchiveUnreadable, open_archive
from controlplane.audit.archive_verifier import verify_archive
from tests.unit.controlplane.audit.archives import LOG_KEY, Log, envelope, gap, request, start, written_to

ALTERATIONS = [each for case in LOG_CASES for each in case.alterations]
LOG = Log(
    [
        envelope("admin", schema="gatehouse.admin/1", action="token_set", detail={}),
        start(),
        *(request(seq, outcome="allow") for seq in range(2, 8)),
        request(8, kind="admission", request_id="req_8", outcome="allow"),
        request(9, request_id="req_8", outcome="allow"),
        *(request(seq, outcome="deny") for seq in range(10, 20)),
        gap(20, 21),
        request(22, outcome="allow"),
    ]
)
LATER = Log([*LOG.envelopes, request(23, outcome="allow")])
FILES = LOG.files(earlier=(4, 9))


@pytest.mark.parametrize("each", ALTERATIONS, ids=lambda each: each.slug)
def test_an_alteration_is_one_and_is_judged_as_its_row_says(each, tmp_path):
    files = each.alter(dict(FILES))
    assert (files != FILES) == (each.alter is not as_it_is)
    kept = [("later", LATER.note(len(LATER.leaves)).to_bytes())] if each.beside else []
    try:
        with open_archive(written_to(tmp_path / "altered.zip", files)) as archive:
            report = verify_archive(archive, keys=[LOG_KEY.verifier], kept=kept)
    except ArchiveUnreadable:
        assert each.ungraspable
        return
    assert report.integrity_verdict == each.integrity
    assert each.completeness in (None, report.completeness_verdict)


def test_a_log_signed_anew_agrees_with_itself(tmp_path):
    with open_archive(written_to(tmp_path / "forged.zip", signed_anew(FILES))) as archive:
        report = verify_archive(archive, keys=[], kept=[])
    assert (report.integrity_verdict, report.trust) == (HOLDS, "archive")


def test_the_suites_own_tree_is_that_of_the_log():
    entries = entries_of(FILES)
    assert [leaf_hash(entry["envelope"]) for entry in entries] == [entry["leaf_hash"] for entry in entries]
    root = FILES["checkpoint"].split(b"\n")[2]
    assert base64.b64encode(root_of([base64.b64decode(entry["leaf_hash"]) for entry in entries])) == root


def test_what_is_not_there_cannot_be_altered():
    with pytest.raises(NotThere, match="kind admission"):
        dropped("admission")(Log([start(), request(2)]).files())
    with pytest.raises(NotThere, match="whole log"):
        signed_anew(LOG.files(1))
    files = {name: content for name, content in FILES.items() if not name.startswith("earlier/")}
    earlier = next(each for each in ALTERATIONS if each.slug == "earlier/ missing")
    with pytest.raises(NotThere, match="earlier/"):
        earlier.alter(files)


def test_an_altered_archives_manifest_agrees_unless_the_row_is_about_it():
    fewer = dropped("terminal")(dict(FILES))
    assert len(entries_of(fewer)) == len(LOG.leaves) - 1
    assert json.loads(fewer["manifest.json"])["files"].keys() == fewer.keys() - {"manifest.json"}
