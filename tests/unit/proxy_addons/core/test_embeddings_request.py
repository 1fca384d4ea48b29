# SPDX-License-Identifier: Apache-2.0
import gzip
import json

import pytest

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, UnknownFields
from proxy_addons.core.embeddings_request import read_embeddings
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import route

ROUTE = route(Dialect.EMBEDDINGS)


def read(**changes):
    return read_embeddings({"model": "m", "input": "abc"} | changes, Reading(ROUTE), body_bytes=9)


@pytest.mark.parametrize(("given", "chars"), [("abc", 3), (["ab", "c", ""], 3)])
def test_facts_of_a_request(given, chars):
    got = read(input=given, dimensions=512, encoding_format="base64", user="u")
    assert got == ("m", RequestFacts(text_chars=chars, body_bytes=9))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"input": [9906, 1917]}, id="token-ids"),
        pytest.param({"input": [[1], [2]]}, id="batches-of-token-ids"),
        pytest.param({"input": ["a", 1]}, id="mixed"),
        pytest.param({"input": []}, id="no-input"),
        pytest.param({"input": ["a"] * 2049}, id="too-many-inputs"),
        pytest.param({"input": {"text": "a"}}, id="object"),
        pytest.param({"input": None}, id="null"),
        pytest.param({"encoding_format": "hex"}, id="encoding-format"),
        pytest.param({"dimensions": 0}, id="no-dimension"),
        pytest.param({"dimensions": 1.5}, id="half-a-dimension"),
        pytest.param({"stream": True}, id="stream"),
        pytest.param({"messages": []}, id="of-another-dialect"),
        pytest.param({"input_type": "query"}, id="unknown"),
    ],
)
def test_what_cannot_be_examined_is_refused(changes):
    with pytest.raises(Refused):
        read(**changes)


def test_text_of_what_passes_is_counted():
    body = json.dumps({"model": "m", "input": "abc", "input_type": "query"}).encode()
    got = read_body(body, route(Dialect.EMBEDDINGS, unknown_fields=UnknownFields.PASS))
    assert got.facts.text_chars == len("abc" + "input_type" + "query")


@pytest.mark.corpus
def test_recorded_legitimate_requests_pass(corpora):
    read = 0
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt") as rows:
        for row in map(json.loads, rows):
            if row["path"] == "/v1/embeddings":
                body = row["request_body"]
                assert json.loads(read_body(body.encode(), ROUTE).body) == json.loads(body)
                read += 1
    assert read == 10
