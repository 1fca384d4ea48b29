# SPDX-License-Identifier: Apache-2.0
"""The decision point as a whole: no request is decided by two snapshots, whatever is put to work meanwhile."""

import threading
import time

import pytest

from controlplane.services.errors import Unready
from controlplane.services.evaluation_answers import AskedBy
from controlplane.services.evaluation_questions import read_batch
from controlplane.services.model import Principal, Role
from tests.control_planes import make_plane, sqlite_url
from tests.evaluations import RECORDS, put_to_work, question
from tests.records import NOON

BY = AskedBy(
    principal=Principal(tenant="default", id="prn_1", name="shop", role=Role.PEP, created_at=NOON),
    request_id="req_1",
    client_request_id=None,
)
BATCH = read_batch({"evaluations": [question("bob", "write")] * 20})


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    put_to_work(made, RECORDS)
    yield made
    made.plane.decision_point.close()
    made.store.close()


def test_no_request_is_decided_by_a_mixture_and_a_change_is_followed(under_test):
    point = under_test.plane.decision_point
    seen: list[tuple[int, bool]] = []
    changed = threading.Event()

    def ask() -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and not (changed.is_set() and seen[-1][0] == 2):
            answered = point.submit(BATCH, BY, environment="production").result(10)
            (one,) = {(each.serial, each.is_allowed) for each in answered}
            seen.append(one)

    asking = threading.Thread(target=ask)
    asking.start()
    while not seen:
        time.sleep(0.01)
    etag = under_test.call("GET", "/v1/policies/records", "author").headers["ETag"]
    revised = RECORDS.replace('version: "1"', 'version: "2"').replace("bob: [read]", "bob: [read, write]")
    made = under_test.call(
        "POST", "/v1/policies/records/revisions", "author", json={"source": revised}, headers={"If-Match": etag}
    )
    assert made.status_code == 201, made.text
    under_test.activate(under_test.release()["id"])
    changed.set()
    asking.join(20)
    assert set(seen) == {(1, False), (2, True)}
    assert seen == sorted(seen)


def test_a_closed_one_answers_nobody(under_test):
    point = under_test.plane.decision_point
    assert len(point.submit(BATCH, BY, environment="production").result(10)) == 20
    point.close()
    with pytest.raises(Unready):
        point.submit(BATCH, BY, environment="production")
