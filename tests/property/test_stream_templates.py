# SPDX-License-Identifier: Apache-2.0
"""Events known by their bytes are told as those that go the whole way are, whatever stands in them and around them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.decision import Mode
from policies.contracts.snapshot import Dialect, RedactionAction
from policies.redaction.rules import ActiveRules
from proxy_addons.core import sse
from tests.streams import CARD, EMAIL, KEY, left, rules, stream, told

HEAD = b'{"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
SAID, END = b'"delta":{"content":"', b'"},"finish_reason":null}]}'
ACTIVE = {
    "replacing": rules(),
    "blocking": rules(RedactionAction.BLOCK),
    "observing": rules(mode=Mode.OBSERVE),
    "no-rules": ActiveRules.none(),
}

WORDS = [b"The", b" year", b" is ", b"2024", b" secret key: ", b"-----", b"[", "é漢😀".encode(), b"\x7f", b", ", b"@"]
SECRETS = [each.encode() for each in (EMAIL, CARD, KEY, "-----BEGIN PRIVATE KEY-----", CARD[:9], CARD[9:], EMAIL[:7])]
ESCAPED = [rb"\n", rb"\"", rb"\\", rb"\/", rb"\u0040", rb"\u0034111", rb"\ud83d\ude00", rb"say \"hi\",", rb"\","]
BROKEN = [
    *[
        rb"\ud800",
        rb"\x41",
        b"\x00",
        b"\x1f",
        b"\xff",
        b"\xc3",
        b"\xa9",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r",
        b"\t",
    ],
    # What looks like the end of the event, or like more of it.
    *[b'"', b"\\", b'x","content":"y', b'x","y":"z', b'x"},"finish_reason":"stop","x":{"y":"'],
    *[END + b"\n\ndata: " + HEAD + SAID + b"x", b'"},"finish_reason":null}]} ', b'","role":"assistant'],
]
TEXTS = st.lists(
    st.sampled_from(WORDS) | st.sampled_from(SECRETS) | st.sampled_from(ESCAPED) | st.just(b""), min_size=0, max_size=4
).map(b"".join)
HOSTILE = st.tuples(TEXTS, st.sampled_from(BROKEN), TEXTS).map(b"".join)


def of_first(text: bytes) -> bytes:
    return HEAD + SAID + text + END


OTHERS = [
    *[HEAD + b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"role":"assistant","content":"%b"},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"content":"%b","reasoning_content":null},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"content":null,"reasoning_content":"%b"},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"content":"%b","content":"x"},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"musings":"%b"},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":null,"logprobs":null}],"usage":null}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":null}],"obfuscation":"alice@example.com"}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":null}],"usage":{"total_tokens":4111111111111111}}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":null}],"usage":{"total_tokens":3}}'],
    *[HEAD + b'"delta":{"content":"%b","reasoning_content":"%b"},"finish_reason":null}]}'],
    *[HEAD + b'"delta":{"content":"%b","alice@example.com":null},"finish_reason":null}],"bob@example.com":null}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":null,"x":"%b"}]}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":""}]}'],
    *[HEAD + b'"delta":{"content":"%b"},"finish_reason":"stop"}]}'],
    *[HEAD + b'"delta":{},"finish_reason":"stop"}]}'],
    *[HEAD.replace(b":0", b":1") + SAID + b"%b" + END, HEAD.replace(b"c-1", b"c-2") + SAID + b"%b" + END],
    *[HEAD.replace(b"c-1", b"alice@example.com") + SAID + b"%b" + END, HEAD + SAID + b"%b" + END + b" "],
    *[b'{"choices":[]}', b'{"choices":[],"usage":{"total_tokens":3}}', b'{"error":{"message":"%b"}}', b"{", b"[DONE]"],
]
# Few forms in one stream, so that each is said often; and now and then an event that is broken.
FORMS = st.lists(st.sampled_from([HEAD + SAID + b"%b" + END, *OTHERS]), min_size=1, max_size=2).map(
    lambda forms: [HEAD + SAID + b"%b" + END, *forms]
)
LINES = st.sampled_from([b"data: %b\n\n"] * 8 + [b"data: %b\r\n\r\n", b"data:%b\n\n", b": hi\n\ndata: %b\n\n"])


def outcome(sent: list[bytes], active: ActiveRules, dialect: Dialect = Dialect.CHAT) -> Any:
    enforcer = stream(active, dialect)
    output = b"".join(left(sent, enforcer))
    return told(output), enforcer.findings, enforcer.coverage, enforcer.cut, enforcer.done


def whole_way(sent: list[bytes], active: ActiveRules, dialect: Dialect = Dialect.CHAT) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_MAX_LEARNT", 0)
        return outcome(sent, active, dialect)


@pytest.mark.parametrize("active", ACTIVE.values(), ids=ACTIVE.keys())
@given(data=st.data())
def test_told_as_those_that_go_the_whole_way(active: ActiveRules, data: st.DataObject):
    end = data.draw(st.sampled_from([b"data: %b\n\n", b"data: %b\r\n\r\n"]))
    forms = data.draw(FORMS)
    lines = []
    for _ in range(data.draw(st.integers(3, 12))):
        form = data.draw(st.sampled_from(forms))
        text = data.draw(HOSTILE if data.draw(st.integers(0, 15)) == 0 else TEXTS)
        line = data.draw(LINES) if data.draw(st.integers(0, 9)) == 0 else end
        lines.append(line.replace(b"%b", form).replace(b"%b", text))
    sent = b"".join(lines)
    want = whole_way(lines, active)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    for cut in ([sent], lines, pieces):
        assert want == outcome(cut, active)


@pytest.mark.parametrize("active", ACTIVE.values(), ids=ACTIVE.keys())
@pytest.mark.parametrize("hostile", BROKEN, ids=ascii)
def test_what_breaks_an_event_breaks_it_where_its_form_is_known(active: ActiveRules, hostile: bytes):
    for text in (hostile, b"so " + hostile, hostile + b" on "):
        lines = [b"data: " + of_first(each) + b"\n\n" for each in (b"The ", b"year ", text, b"is ", b"2024")]
        want = whole_way(lines, active)
        assert want == outcome(lines, active) == outcome([b"".join(lines)], active)


@pytest.mark.parametrize("active", ACTIVE.values(), ids=ACTIVE.keys())
@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form[-70:].decode())
def test_every_form_is_told_likewise_however_often_it_is_said(active: ActiveRules, form: bytes):
    said = [
        b"The ",
        b"year",
        b"2024",
        b" is",
        b" past",
        b". Ask ",
        b"alice@",
        b"example",
        b".com",
        b" or, say,",
        b" 4111",
    ]
    lines = [b"data: " + form.replace(b"%b", text) + b"\n\n" for text in said]
    want = whole_way(lines, active)
    assert want == outcome(lines, active) == outcome([b"".join(lines)], active)


@given(texts=st.lists(TEXTS, min_size=2, max_size=8))
def test_legacy_texts_are_told_likewise(texts: list[bytes]):
    lines = [b'data: {"id":"c","choices":[{"text":"%b","index":0,"finish_reason":null}]}\n\n' % text for text in texts]
    want = whole_way(lines, rules(), Dialect.COMPLETIONS)
    assert (
        want == outcome(lines, rules(), Dialect.COMPLETIONS) == outcome([b"".join(lines)], rules(), Dialect.COMPLETIONS)
    )
