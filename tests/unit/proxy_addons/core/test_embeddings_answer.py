# SPDX-License-Identifier: Apache-2.0
import base64
import gzip
import json
import struct

import pytest

from policies.contracts.snapshot import RedactionAction
from policies.redaction.engine import Redaction
from proxy_addons.core.answers import AnswerInvalid
from proxy_addons.core.embeddings_answer import redact_embeddings
from tests.unit.proxy_addons.harness import CARD, snapshot

POLICIES = snapshot().redactions
RULES = Redaction.of(POLICIES).rules_for(("answer-redaction",), operation="embeddings", model="parrot")


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*vectors, **changes) -> bytes:
    items = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return json.dumps({"object": "list", "data": items, "model": "parrot", "usage": usage} | changes).encode()


def item(**changes) -> bytes:
    return answer(data=[{"object": "embedding", "index": 0, "embedding": [0.5]} | changes])


def redacted(body: bytes):
    return redact_embeddings(body, rules=RULES, max_bytes=100_000_000)


@pytest.mark.parametrize("vectors", [([0.5, -1e-9, 1],), ([1.0], [2.0]), (packed(0.5, -1.0),)])
def test_vectors_leave_as_they_came(vectors):
    got = redacted(answer(*vectors))
    assert json.loads(got.body) == json.loads(answer(*vectors))
    assert (got.coverage.scanned, got.coverage.not_scanned) == (("model",), (("data.*.embedding", "vector"),))


def test_nothing_beside_them_leaves():
    secret = {"x": "marzipan"}
    body = json.loads(answer([0.5], marzipan=secret, usage={"prompt_tokens": 1, "marzipan": secret}))
    body["data"][0]["marzipan"] = secret
    got = redacted(json.dumps(body).encode())
    assert b"marzipan" not in got.body
    assert json.loads(got.body)["usage"] == {"prompt_tokens": 1}


def test_name_of_the_model_is_redacted():
    got = redacted(answer([0.5], model=f"parrot {CARD}"))
    assert json.loads(got.body)["model"] == "parrot [redacted:payment-card]"
    assert [found.action for found in got.findings] == [RedactionAction.REPLACE]


def test_name_of_the_model_may_block():
    got = redacted(answer([0.5], model="-----BEGIN RSA PRIVATE KEY-----"))
    assert (got.body, got.blocked.rule) == (b"", "key")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(), id="no-vector"),
        pytest.param(item(embedding="a card"), id="text-for-a-vector"),
        pytest.param(item(embedding=packed(0.5)[:-1]), id="cut-base64"),
        pytest.param(item(embedding=base64.b64encode(b"abc").decode()), id="not-of-floats"),
        pytest.param(item(embedding=packed(float("nan"))), id="packed-nan"),
        pytest.param(item(embedding="йцук"), id="not-ascii"),
        pytest.param(item(embedding=""), id="empty-text"),
        pytest.param(item(embedding=[]), id="empty-vector"),
        pytest.param(item(embedding=[0.5, "a"]), id="text-in-a-vector"),
        pytest.param(item(embedding=[0.5, [1]]), id="vector-in-a-vector"),
        pytest.param(item(embedding=[True]), id="truth-in-a-vector"),
        pytest.param(item(embedding=[0.5] * 65_537), id="too-long"),
        pytest.param(item(index=1), id="place-of-another"),
        pytest.param(item(index="0"), id="place-as-text"),
        pytest.param(item(object="text"), id="item-of-another-kind"),
        pytest.param(answer([0.5], data=["a"]), id="item-that-is-text"),
        pytest.param(answer([0.5], object="chat.completion"), id="answer-of-another-kind"),
        pytest.param(answer([0.5], model=None), id="no-model"),
        pytest.param(answer([0.5], usage={"total_tokens": "many"}), id="count-as-text"),
        pytest.param(answer([0.5], usage={"total_tokens": -1}), id="negative-count"),
        pytest.param(b'{"object":"list","object":"list"}', id="not-strict"),
        pytest.param(b"[]", id="array"),
    ],
)
def test_what_is_no_answer_of_the_dialect_is_refused(body):
    with pytest.raises(AnswerInvalid):
        redacted(body)


def test_answer_beyond_its_size_is_refused():
    with pytest.raises(AnswerInvalid, match="too-large"):
        redact_embeddings(answer([0.5]), rules=RULES, max_bytes=10)


def test_many_vectors_of_ordinary_size_are_taken():
    assert redacted(answer(*[[0.25] * 1536] * 100)).body


@pytest.mark.corpus
def test_recorded_answers_pass(corpora):
    read = 0
    with gzip.open(corpora / "openai" / "http_interactions.jsonl.gz", "rt") as rows:
        for row in map(json.loads, rows):
            if row["path"] == "/v1/embeddings" and row["status"] == 200:
                body = row["response_body"]
                assert json.loads(redacted(body.encode()).body) == json.loads(body)
                read += 1
    assert read == 8
