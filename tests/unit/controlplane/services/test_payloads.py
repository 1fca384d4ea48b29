# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.identifiers import utc_now
from controlplane.sealing import KeyRing
from controlplane.services.errors import StoreUnavailable
from controlplane.services.payloads import PayloadKeys
from controlplane.store.engine import open_database
from controlplane.store.store import SqlStore
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    made = make_plane(sqlite_url(tmp_path))
    made.ingest(make_record())
    return made


def keys(tmp_path, *ring):
    return PayloadKeys(store=SqlStore(open_database(sqlite_url(tmp_path)), KeyRing(ring)), clock=utc_now)


def test_a_start_without_the_key_is_refused_with_the_fix(under_test, tmp_path):
    keys(tmp_path, b"n" * 32, b"k" * 32).check()
    with pytest.raises(StoreUnavailable, match="GATEHOUSE_PAYLOAD_KEY_FILE"):
        keys(tmp_path, b"n" * 32).check()


def test_an_exchange_is_noted_once(under_test, tmp_path):
    exchanging = keys(tmp_path, b"n" * 32, b"k" * 32)
    assert [exchanging.rewrap(), exchanging.rewrap()] == [1, 0]
    events = under_test.call("GET", "/v1/admin-events", "auditor").json["items"]
    noted = [(event["principal"], event["detail"]) for event in events if event["action"] == "payload_keys_rewrapped"]
    assert noted == [("operator", {"count": 1})]
