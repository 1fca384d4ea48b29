# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.messages import LineRefused, line_of
from inference.screen.question import Input
from policies.screening.model import Origin


def of_message(**message):
    line = line_of({"messages": [message]})
    assert line.messages == (0,) * len(line.inputs)
    return [(each.text, str(each.origin)) for each in line.inputs]


def test_a_text_is_a_users_unless_it_says_otherwise():
    assert line_of({"text": "a"}).inputs == (Input("a", Origin.USER),)
    assert line_of({"text": "a", "origin": "tool"}).inputs == (Input("a", Origin.TOOL_RESULT),)
    assert line_of({"text": "a", "origin": "tool-result", "id": 7}).inputs == (Input("a", Origin.TOOL_RESULT),)


def test_members_of_the_lines_owner_are_left_alone():
    line = line_of({"text": "a", "id": [1], "source": "x", "label": 1})
    assert (line.id, line.inputs, line.messages) == ([1], (Input("a"),), None)


@pytest.mark.parametrize(
    ("role", "origin"),
    [
        ("user", "user"),
        ("system", "system"),
        ("developer", "developer"),
        ("assistant", "assistant-text"),
        ("tool", "tool-result"),
        ("function", "tool-result"),
        ("tool-result", "tool-result"),
        ("ipython", "other"),
    ],
)
def test_a_role_is_an_origin(role, origin):
    assert of_message(role=role, content="a") == [("a", origin)]


@pytest.mark.parametrize(
    ("message", "want"),
    [
        # Nothing to find: as the empty text is.
        pytest.param({"content": None}, [("", "user")], id="none"),
        pytest.param(
            {"content": [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, "c"]},
            [("a", "user"), ("b", "user"), ("c", "user")],
            id="parts",
        ),
        pytest.param({"content": [{"type": "refusal", "refusal": "a"}]}, [("a", "user")], id="refusal"),
        pytest.param(
            {"content": [{"type": "tool_result", "content": [{"type": "text", "text": "a"}]}]},
            [("a", "tool-result")],
            id="tool-result",
        ),
        pytest.param(
            {"content": [{"type": "tool_use", "input": {"q": ["a", {"r": "b"}], "n": 1}}]},
            [(each, "tool-arguments") for each in "qarbn"],
            id="tool-use",
        ),
        pytest.param({"content": "a", "name": "b"}, [("a", "user"), ("b", "other")], id="name"),
        pytest.param(
            {"content": None, "function_call": {"arguments": "a"}},
            [("arguments", "tool-arguments"), ("a", "tool-arguments")],
            id="function-call",
        ),
    ],
)
def test_every_text_of_a_message_is_read(message, want):
    assert of_message(role="user", **message) == want


def test_messages_are_numbered_by_their_texts():
    line = line_of({"messages": [{"role": "user", "content": ["a", "b"]}, {"role": "tool", "content": "c"}]})
    assert line.messages == (0, 0, 1)


DEEP = "x"
for _ in range(70):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("line", "at"),
    [
        pytest.param([], "no JSON object", id="array"),
        pytest.param({}, "one of text and messages", id="nothing"),
        pytest.param({"text": "a", "messages": []}, "one of text and messages", id="both"),
        pytest.param({"text": 1}, "text: must be a string", id="number"),
        pytest.param({"text": "a", "origin": "me"}, "origin: must be one of user", id="origin"),
        pytest.param({"messages": [], "origin": "user"}, "origin: belongs to text", id="origin-of-messages"),
        pytest.param({"messages": []}, "messages: is empty", id="no-messages"),
        pytest.param({"messages": "a"}, "messages: must be an array", id="messages-a-string"),
        pytest.param({"messages": ["a"]}, "messages[0]: must be an object", id="message-a-string"),
        pytest.param({"messages": [{"content": "a"}]}, "messages[0].role: must be a string", id="no-role"),
        pytest.param({"messages": [{"role": "user", "content": 5}]}, "messages[0].content: must be", id="content"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
            id="image",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", id="no-text"
        ),
        pytest.param({"messages": [{"role": "user", "tool_calls": DEEP}]}, "nested too deep", id="deep"),
    ],
)
def test_what_cannot_be_judged_is_named_by_its_place(line, at):
    with pytest.raises(LineRefused) as refused:
        line_of(line)
    assert at in str(refused.value)
