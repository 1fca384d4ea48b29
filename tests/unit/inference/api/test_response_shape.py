# SPDX-License-Identifier: Apache-2.0
import json

from inference.api.answers import Choice, Usage
from inference.api.errors import STOPPING
from inference.api.response_shape import ResponseShape
from inference.job import FinishReason

SHAPE = ResponseShape(id="resp_1", created=1, model="m", include_usage=False)
USAGE = Usage(prompt_tokens=2, completion_tokens=3)


def test_a_text_is_told_in_pieces_and_whole():
    choice = Choice("hi", FinishReason.STOP)
    assert SHAPE.closing(choice, 0) == []
    *done, last = SHAPE.ending([choice], USAGE)
    told = [*SHAPE.opening(0), SHAPE.piece("hi", 0), *done, last]
    assert [each["type"].removeprefix("response.") for each in told] == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert last["response"] == SHAPE.whole([choice], USAGE)
    (item,) = last["response"]["output"]
    assert (item["content"][0]["text"], item["id"]) == ("hi", "msg_1")
    assert last["response"]["usage"]["total_tokens"] == 5


def test_an_answer_cut_off_is_incomplete():
    whole = SHAPE.whole([Choice("hi", FinishReason.LENGTH)], USAGE)
    assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert SHAPE.ending([Choice("hi", FinishReason.LENGTH)], USAGE)[-1]["type"] == "response.incomplete"


def test_events_are_named_and_numbered_and_of_ascii():
    name, data = SHAPE.event(SHAPE.piece("ü\n\ndata: x", 0), 7).removesuffix(b"\n\n").split(b"\n")
    assert name == b"event: response.output_text.delta"
    assert data.isascii()
    assert json.loads(data.removeprefix(b"data: ")) == {**SHAPE.piece("ü\n\ndata: x", 0), "sequence_number": 7}
    assert SHAPE.done == b""


def test_a_failure_is_an_error_of_the_dialect():
    told = SHAPE.failure(STOPPING)
    assert (told["type"], told["code"], told["error"]["code"]) == ("error", "not_ready", "not_ready")
