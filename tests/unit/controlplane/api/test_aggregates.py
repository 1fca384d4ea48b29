# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    plane = make_plane(sqlite_url(tmp_path))
    latency = {"total": 8000, "decide": 1, "upstream": 1}
    plane.ingest(
        make_record(seq=1, latency_us=latency),
        make_record(seq=2, model="owl", outcome="deny", subject="user:bob", latency_us=latency),
        make_record(seq=3, time="2026-11-20T19:59:59Z", latency_us=latency),
        make_record(seq=4, kind="admission"),
    )
    return plane


def ask(plane, query):
    answer = plane.call("GET", f"/v1/decisions:aggregate?{query}", "auditor")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_counts_shares_and_latencies_by_hour_and_model(under_test):
    got = ask(under_test, "by=model&bucket=hour")
    assert (got["from"], got["to"], got["as_of"]) == ("2026-11-20T18:00:00Z", "2026-11-20T20:00:00Z", 4)
    shown = [
        (item["at"][11:13], item["value"], item["requests"], item["denied"], item["share"]) for item in got["items"]
    ]
    assert shown == [("18", "parrot", 1, 0, 0.5), ("18", "owl", 1, 1, 0.5), ("19", "parrot", 1, 0, 1.0)]
    assert (got["total"]["requests"], got["total"]["denied_share"]) == (3, 0.333333)
    assert got["total"]["latency_ms"]["p99"] == pytest.approx(8, rel=got["latency_error"])


def test_a_subject_is_named_as_people_do(under_test):
    (item,) = ask(under_test, "by=subject&bucket=none&subject=user:bob")["items"]
    assert (item["requests"], item["at"], item["value"][:3]) == (1, None, "p1:")


def test_without_records_there_is_nothing(tmp_path):
    got = ask(make_plane(sqlite_url(tmp_path)), "by=model")
    assert (got["items"], got["from"], got["total"]["latency_ms"]) == ([], None, None)


def test_times_may_be_as_early_and_as_late_as_times_are(under_test):
    got = ask(under_test, "bucket=none&from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z")
    assert (got["from"], got["to"]) == ("0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z")
    assert (got["total"]["requests"], got["items"][0]["requests"]) == (3, 3)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        pytest.param("by=trace_id", "/by", id="a dimension without groups"),
        pytest.param("by=colour", "/by", id="an unknown dimension"),
        pytest.param("by=subject&bucket=minute", "/by", id="a dimension not kept by minute"),
        pytest.param("by=model&outcome=deny", "/outcome", id="a filter of another dimension"),
        pytest.param("model=owl", "/model", id="a filter without a group"),
        pytest.param("from=2026-11-20T19:00:00Z&to=2026-11-20T18:00:00Z", "/to", id="times turned round"),
        pytest.param("from=2020-11-20T19:00:00Z", "/bucket", id="too many buckets"),
        pytest.param("by=model&limit=51", "/limit", id="too many groups"),
        pytest.param("bucket=minute&limit=0", "/limit", id="no groups"),
        pytest.param("trace=1", "/trace", id="an unknown parameter"),
    ],
)
def test_a_question_that_cannot_be_answered_names_the_parameter(under_test, query, pointer):
    answer = under_test.call("GET", f"/v1/decisions:aggregate?{query}", "auditor")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
