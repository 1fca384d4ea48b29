# SPDX-License-Identifier: Apache-2.0
"""What a witness may answer over HTTP."""

import httpx
import pytest

from controlplane.audit.note_keys import KeyKind, SignerKey
from controlplane.services.witnesses import Witness, WitnessAnswer, WitnessUnusable
from controlplane.witness_client import WitnessClient

WITNESS = Witness(url="https://w.example/api", key=SignerKey.generate("w.example", KeyKind.COSIGNATURE).verifier)


def ask(answer: httpx.Response | Exception) -> tuple[WitnessAnswer, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with WitnessClient(transport=httpx.MockTransport(respond)) as client:
        return client(WITNESS, b"old 0\n"), asked


def test_lines_are_taken_and_the_address_is_the_specifications():
    answer, asked = ask(httpx.Response(200, text="— w x\n"))
    assert answer == WitnessAnswer(lines="— w x\n")
    assert [(request.method, str(request.url)) for request in asked] == [
        ("POST", "https://w.example/api/add-checkpoint")
    ]


def test_a_conflict_says_what_it_saw_last():
    assert ask(httpx.Response(409, text="17\n"))[0] == WitnessAnswer(knows_size=17)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(409, text="many"), id="a-conflict-without-a-size"),
        pytest.param(httpx.Response(422), id="a-proof-that-it-does-not-take"),
        pytest.param(httpx.Response(302, headers={"Location": "https://elsewhere.example"}), id="a-redirect"),
        pytest.param(httpx.Response(200, content=b"x" * 70_000), id="an-endless-answer"),
        pytest.param(httpx.ConnectError("no"), id="nobody-there"),
    ],
)
def test_anything_else_is_no_answer(answer):
    with pytest.raises(WitnessUnusable):
        ask(answer)
