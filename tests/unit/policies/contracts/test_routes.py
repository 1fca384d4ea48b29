# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.members import plain
from policies.contracts.routes import Dialect, Encoding, Modality, Route, UnknownFields

ROUTE = Route(
    id="chat",
    policy="openai-routes",
    method="POST",
    path="/v1/chat/completions",
    operation="chat.completions",
    dialect=Dialect.CHAT,
    unknown_fields=UnknownFields.STRIP,
    allow_fields=("x_1",),
    encodings=(Encoding.GZIP,),
    allow_uncovered=(Modality.IMAGE,),
)


def test_a_route_is_read_back_as_it_was_written():
    assert Route.from_json(plain(ROUTE)) == ROUTE


@pytest.mark.parametrize("changes", [{"dialect": "other"}, {"encodings": ["br"]}, {"unknown_fields": ""}, {"x": 1}])
def test_an_unknown_word_or_member_is_refused(changes):
    with pytest.raises(ValueError):  # each has words of its own
        Route.from_json(plain(ROUTE) | changes)
