# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.snapshot import Dialect
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body, takes_body
from tests.unit.proxy_addons.harness import chat, route


def test_forwarded_body_is_the_examined_value_in_one_spelling():
    spelled = (
        b'\n{ "messages" : [ {"role":"user","content":"\\u0068\\/\\u00e9"} ], "model":"\\u0070arrot","top_p":1e-1 }'
    )
    read = read_body(spelled, route())
    assert read.body == '{"messages":[{"role":"user","content":"h/é"}],"model":"parrot","top_p":0.1}'.encode()
    assert (read.model, read.facts.body_bytes) == ("parrot", len(spelled))


def test_canonical_body_reads_as_itself():
    once = read_body(json.dumps(chat()).encode(), route()).body
    assert read_body(once, route()).body == once


def test_body_of_another_dialect_is_refused():
    with pytest.raises(Refused):
        read_body(json.dumps(chat()).encode(), route(Dialect.COMPLETIONS))


def test_list_of_models_takes_no_body():
    assert [dialect for dialect in Dialect if not takes_body(dialect)] == [Dialect.MODELS]
