# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.snapshot import Modality, UnknownFields
from proxy_addons.core.openai_request import ReadRequest
from proxy_addons.core.refused import Refused
from proxy_addons.core.request_reader import read_body
from proxy_addons.core.unknown_fields import DANGEROUS, DANGEROUS_PREFIXES, Reading, folded, is_dangerous
from tests.unit.proxy_addons.harness import chat, route

STRIP, PASS, REFUSE = UnknownFields.STRIP, UnknownFields.PASS, UnknownFields.REFUSE
TOOL = {"type": "function", "function": {"name": "f", "marzipan": 1}, "marzipan": 1}
UNKNOWN_EVERYWHERE = chat(
    messages=[{"role": "user", "content": [{"type": "text", "text": "hi", "marzipan": 1}], "marzipan": {"a": ["b"]}}],
    tools=[TOOL],
    stream_options={"marzipan": True},
    marzipan="cd",
)


def read(body: dict, **options) -> ReadRequest:
    return read_body(json.dumps(body).encode(), route(**options))


def test_strip_removes_at_every_level_and_counts():
    got = read(UNKNOWN_EVERYWHERE, unknown_fields=STRIP)
    assert b"marzipan" not in got.body
    assert (got.stripped, got.facts.text_chars) == (6, 2)
    assert json.loads(got.body)["tools"] == [{"type": "function", "function": {"name": "f"}}]


def test_pass_forwards_and_counts_the_text():
    got = read(UNKNOWN_EVERYWHERE, unknown_fields=PASS)
    assert json.loads(got.body) == UNKNOWN_EVERYWHERE
    assert (got.stripped, got.facts.text_chars) == (0, 2 + 6 * len("marzipan") + len("cd") + len("ab"))


def test_members_that_pass_in_a_part_that_nobody_reads_are_counted_once():
    png = "data:image/png;base64,iVBORw0KGgo="
    part = {"type": "image_url", "image_url": {"url": png}, "text": 5, "refusal": "abc"}
    body = chat(messages=[{"role": "user", "content": [part]}])
    got = read(body, unknown_fields=PASS, allow_uncovered=(Modality.IMAGE,))
    assert got.facts.text_chars == len("text" + "refusal" + "abc")


def test_refuse_takes_only_what_is_listed():
    assert read(UNKNOWN_EVERYWHERE, allow_fields=("marzipan",)).body
    with pytest.raises(Refused, match="field-not-permitted"):
        read(UNKNOWN_EVERYWHERE, allow_fields=("almond",))


def test_strip_keeps_what_is_listed():
    got = read(chat(marzipan=1, almond=2), unknown_fields=STRIP, allow_fields=("almond",))
    assert (json.loads(got.body), got.stripped) == (chat(almond=2), 1)


@pytest.mark.parametrize("name", ["metadata", "store", "functions", "web_search_options"])
def test_field_that_the_protocol_has_and_policy_does_not_is_unknown_with_a_name(name):
    body = chat(**{name: {"x": "y"}})
    assert read(body, unknown_fields=STRIP).stripped == 1
    for mode in (PASS, REFUSE):
        with pytest.raises(Refused) as refused:
            read(body, unknown_fields=mode)
        assert (refused.value.code, refused.value.param) == ("field-not-permitted", name)
    assert json.loads(read(body, allow_fields=(name,)).body) == body


@pytest.mark.parametrize(
    "name",
    [
        "guided_json",
        "chat_template_kwargs",
        "documents",
        "extra_body",
        "previous_response_id",
        "Guided-JSON",
        "ｄocuments",
    ],
)
def test_dangerous_field_passes_only_by_its_exact_name(name):
    for body in (chat(**{name: 1}), chat(marzipan={"deep": [{name: 1}]})):
        with pytest.raises(Refused, match="field-not-permitted"):
            read(body, unknown_fields=PASS)
    assert read(chat(guided_json=1), unknown_fields=PASS, allow_fields=("guided_json",)).body


@pytest.mark.parametrize("name", ["Model", "MESSAGES", "ｍodel", "max-tokens", "Kelvin", "ſtream", "Metadata"])
def test_look_alike_of_a_known_field_does_not_pass(name):
    known = {"model", "messages", "max_tokens", "stream", "kelvin", "metadata"}
    reading = Reading(route(unknown_fields=PASS))
    with pytest.raises(Refused, match="field-not-permitted"):
        reading.keeps(name, 1, beside=known, named=False)


def test_dangerous_names_are_written_as_they_are_compared():
    assert [name for name in (*DANGEROUS, *DANGEROUS_PREFIXES) if folded(name) != name] == []
    assert not is_dangerous("marzipan")


def test_unexamined_content_is_noted_where_it_may_pass():
    reading = Reading(route(allow_uncovered=(Modality.IMAGE,)))
    reading.covers(Modality.IMAGE, "a.b", kind="b")
    assert reading.uncovered == {("a.b", "image")}
    with pytest.raises(Refused, match="modality-not-permitted: c"):
        reading.covers(Modality.AUDIO, "a.c", kind="c")
