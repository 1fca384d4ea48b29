# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.codec import canonical_bytes
from policies.contracts.record import MAX_ENVELOPE_BYTES, UNNUMBERED, LossReason, Source
from proxy_addons.clients.losses import Loss
from proxy_addons.clients.source_records import SourceRecords, source_of
from tests.spools import NOW, source_scope

BOOT = "ab" * 16
OWN = SourceRecords(source_scope(), BOOT)
EVERY = {
    "schema": "gatehouse.source/1",
    "tenant": "default",
    "environment": "production",
    "source": {"id": "node-1/w0", "boot_id": BOOT, "seq": 5},
    "time": "2026-11-20T18:00:00.123456Z",
    "payload_digest": None,
}
LOSS = Loss(
    first_at=NOW,
    last_at=NOW,
    outcomes=(("deny", 2),),
    why=((LossReason.DISK_FULL, 2),),
)


def read(line: bytes) -> dict:
    parts = json.loads(line)
    assert parts["payload"] == ""
    envelope = json.loads(parts["envelope"])
    assert canonical_bytes(envelope).decode() == parts["envelope"]
    return {name: value for name, value in envelope.items() if name != "record_id"}


@pytest.mark.parametrize(
    ("line", "want"),
    [
        pytest.param(
            OWN.start(5, previous=None), {"kind": "start", "version": "1.2.3", "previous": None}, id="the-first-boot"
        ),
        pytest.param(
            OWN.start(5, previous=Source(id="node-1/w0", boot_id="cd", seq=9)),
            {"kind": "start", "version": "1.2.3", "previous": {"boot_id": "cd", "seq": 9}},
            id="a-boot-after-another",
        ),
        pytest.param(
            OWN.heartbeat(5, written=7, lost=1), {"kind": "heartbeat", "written": 7, "lost": 1}, id="heartbeat"
        ),
        pytest.param(OWN.stop(5, written=7, lost=0), {"kind": "stop", "written": 7, "lost": 0}, id="stop"),
        pytest.param(
            OWN.loss(5, LOSS),
            {
                "kind": "loss",
                "count": 2,
                "first_at": "2026-11-20T18:00:00.123456Z",
                "last_at": "2026-11-20T18:00:00.123456Z",
                "outcomes": {"deny": 2},
                "why": {"disk-full": 2},
                "numbers": None,
            },
            id="loss",
        ),
    ],
)
def test_a_source_says_of_itself(line, want):
    assert read(line) == EVERY | want


def test_however_many_numbers_are_in_doubt_the_record_fits():
    numbers = tuple((2**52 + 4 * each, 2**52 + 4 * each + 1) for each in range(1000))
    line = OWN.loss(
        5,
        Loss(
            first_at=NOW,
            last_at=NOW,
            outcomes=LOSS.outcomes,
            why=tuple((why, 1) for why in LossReason),
            numbers=numbers,
        ),
    )
    told = read(line)["numbers"]
    assert len(json.loads(line)["envelope"]) < MAX_ENVELOPE_BYTES
    assert told[0] == list(numbers[0])
    assert told[-1] == [numbers[len(told) - 1][0], numbers[-1][1]]


def test_a_line_says_whose_it_is():
    assert source_of(OWN.stop(5, written=0, lost=0)) == Source(id="node-1/w0", boot_id=BOOT, seq=5)
    assert OWN.unnumbered.seq == UNNUMBERED


@pytest.mark.parametrize("line", [b"", b"[]", b'{"envelope":"{}"}', b'{"envelope":"{\\"source\\":{\\"seq\\":null}}"}'])
def test_a_line_that_does_not_say_is_nobodys(line):
    assert source_of(line) is None
