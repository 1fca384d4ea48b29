# SPDX-License-Identifier: Apache-2.0
"""Exports over the API: asked for, followed, fetched."""

import csv
import hashlib
import io

import pyarrow.parquet as pq
import pytest

from controlplane.exports.formats import FORMATS
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record


@pytest.fixture
def under_test(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.ingest(*(make_record(seq=number) for number in range(1, 4)))
    return under_test


def made(under_test, **body):
    answer = under_test.call("POST", "/v1/exports", "auditor", json={"format": "ndjson"} | body)
    assert answer.status_code == 202, answer.text
    under_test.work()
    return under_test.call("GET", answer.headers["Location"], "auditor").json


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_made_and_fetched(under_test, name):
    operation = made(under_test, format=name)
    answer = under_test.call("GET", operation["result"]["href"], "auditor")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == FORMATS[name].media_type == operation["result"]["media_type"]
    assert answer.content_length == operation["result"]["size_bytes"] == len(answer.data)
    digest = hashlib.sha256(answer.data).hexdigest()
    assert operation["result"]["digest"] == f"sha256:{digest}"
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert operation["progress"] == {"done": 3, "total": 3, "rows": 3}
    match name:
        case "csv":
            assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 3
        case "parquet":
            assert pq.read_table(io.BytesIO(answer.data)).num_rows == 3
        case _:
            assert len(answer.data.splitlines()) == 3


def test_a_part_of_a_file_can_be_asked_for(under_test):
    operation = made(under_test)
    whole = under_test.call("GET", operation["result"]["href"], "auditor").data
    part = under_test.call("GET", operation["result"]["href"], "auditor", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, whole[5:10])


def test_an_operation_waits_until_it_is_taken_up(under_test):
    answer = under_test.call("POST", "/v1/exports", "auditor", json={"format": "csv"})
    operation = answer.json
    assert (operation["state"], operation["kind"], operation["result"]) == ("pending", "export", None)
    assert operation["request"] == {"as_of": 3, "filter": {}, "format": "csv", "include": []}
    early = under_test.call("GET", f"/v1/exports/{operation['id']}/content", "auditor")
    assert (early.status_code, early.json["code"]) == (409, "result-not-there")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"format": "xlsx"}, "/format", id="unknown format"),
        pytest.param({}, "/format", id="no format"),
        pytest.param({"format": "csv", "as_of": 4}, "/as_of", id="beyond the log"),
        pytest.param({"format": "csv", "as_of": -1}, "/as_of", id="before the log"),
        pytest.param({"format": "csv", "filters": {"colour": "red"}}, "/filters/colour", id="unknown filter"),
        pytest.param({"format": "csv", "filters": {"limit": "5"}}, "/filters/limit", id="a list's parameter"),
        pytest.param({"format": "csv", "filters": {"outcome": "maybe"}}, "/filters/outcome/0", id="unknown outcome"),
        pytest.param({"format": "csv", "filters": {"from": "yesterday"}}, "/filters/from", id="no time"),
        pytest.param({"format": "csv", "filters": []}, "/filters", id="filters of another type"),
        pytest.param(
            {"format": "csv", "filters": {"model": {"a": 1}}}, "/filters/model/0", id="a value of another type"
        ),
        pytest.param({"format": "csv", "include": ["everything"]}, "/include/0", id="unknown content"),
        pytest.param({"format": "csv", "filters": {"subject": "alice"}}, "/subject", id="no subject"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_its_place(under_test, body, pointer):
    answer = under_test.call("POST", "/v1/exports", "auditor", json=body)
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_nothing_is_exported_where_there_is_no_room(tmp_path, monkeypatch):
    under_test = make_plane(sqlite_url(tmp_path))
    under_test.ingest(make_record())
    object.__setattr__(under_test.plane.jobs.files, "max_bytes", 10)
    failed = made(under_test)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "exports-full")
    assert list(under_test.plane.jobs.files.folder.iterdir()) == []
