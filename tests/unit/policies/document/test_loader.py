# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.contracts.errors import PolicyRejected
from policies.document.loader import load_documents
from policies.document.model import PolicyDocument

GOOD = """kind: access
id: chat-access
version: "1"
spec:
  grants:
    - {id: staff, effect: allow, subjects: ["user:alice"], models: [parrot], operations: [chat.completions]}
"""


def problems(source: str | bytes, file: str = "a.yaml") -> list[tuple[str, int, int, str]]:
    raw = source.encode() if isinstance(source, str) else source
    with pytest.raises(PolicyRejected) as caught:
        load_documents({file: raw})
    return [(each.code, each.at.line, each.at.column, each.at.pointer) for each in caught.value.diagnostics]


def test_a_document_has_its_values_and_their_places():
    (got,) = load_documents({"a.yaml": GOOD.encode()})
    assert (got.kind, got.id, got.spec.grants[0].models) == ("access", "chat-access", ("parrot",))
    assert (got.places.at("/spec/grants/0/models/0").line, got.places.at("/spec/nothing").line) == (6, 5)


def test_json_says_the_same_with_tabs_and_surrogate_pairs():
    raw = b'{"kind":"access",\t"id":"a","version":"1","description":"\\ud83d\\ude00",\n\t"spec":{"grants":[{"id":"s","effect":"deny","subjects":["*"],"operations":["*"]}]}}'
    (got,) = load_documents({"a.json": raw})
    assert got.description == "😀"


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(GOOD.replace("effect", "efect"), "unknown-member", id="an-unknown-member"),
        pytest.param(GOOD.replace("effect: allow, ", ""), "member-missing", id="a-missing-member"),
        pytest.param(GOOD.replace("effect: allow", "effect: Allow"), "unknown-value", id="an-effect-in-capitals"),
        pytest.param(GOOD.replace('"1"', "1"), "wrong-type", id="a-number-for-a-text"),
        pytest.param(GOOD.replace('"1"', "1.0"), "wrong-type", id="a-fraction-for-a-text"),
        pytest.param(GOOD.replace("chat-access", "no"), "ambiguous-scalar", id="a-bare-no"),
        pytest.param(GOOD.replace("chat-access", "on"), "ambiguous-scalar", id="a-bare-on"),
        pytest.param(GOOD.replace("chat-access", "012"), "ambiguous-scalar", id="an-octal"),
        pytest.param(GOOD.replace("chat-access", "1:30"), "ambiguous-scalar", id="a-sexagesimal"),
        pytest.param(GOOD.replace("chat-access", "2026-11-20"), "ambiguous-scalar", id="a-date"),
        pytest.param(GOOD.replace("chat-access", "Chat"), "bad-id", id="an-id-in-capitals"),
        pytest.param(GOOD.replace("chat-access", "a" * 65), "bad-id", id="an-id-too-long"),
        pytest.param(GOOD.replace("kind: access", "kind: acess"), "unknown-value", id="an-unknown-kind"),
        pytest.param(GOOD + "id: b\n", "duplicate-key", id="a-duplicate-key"),
        pytest.param(GOOD + "---\nkind: access\n", "several-documents", id="two-documents"),
        pytest.param(GOOD.replace("chat-access", "&a chat-access"), "alias-not-permitted", id="an-anchor"),
        pytest.param(GOOD.replace("chat-access", "!!str chat-access"), "tag-not-permitted", id="a-tag"),
        pytest.param(GOOD + "<<: {id: b}\n", "ambiguous-scalar", id="a-merge-key"),
        pytest.param("a: &a [x]\nb: [*a, *a]\n", "alias-not-permitted", id="the-laughs"),
        pytest.param("[" * 100_000, "too-deep", id="deep-nesting"),
        pytest.param("- " * 60_000, "too-deep", id="deep-block-nesting"),
        pytest.param("[" + "1," * 60_000 + "]", "too-many-values", id="many-values"),
        pytest.param("a: " + "9" * 5000, "number-too-large", id="a-huge-integer"),
        pytest.param(b"#" * 1_100_000, "document-too-large", id="a-large-file"),
        pytest.param(b"\xff\xfe", "not-utf8", id="utf-16"),
        pytest.param(b"a: \x00", "not-yaml", id="a-nul"),
        pytest.param('a: "\\U00110000"', "not-yaml", id="an-escape-beyond-unicode"),
        pytest.param('a: "\\ud800"', "not-unicode", id="half-a-surrogate"),
        pytest.param("", "document-empty", id="nothing"),
        pytest.param("- a", "wrong-type", id="a-list"),
        pytest.param("a: [", "not-yaml", id="no-yaml"),
        pytest.param("[a]: b", "key-not-text", id="a-list-as-a-key"),
        pytest.param("1: b", "key-not-text", id="a-number-as-a-key"),
    ],
)
def test_refuses_what_could_be_read_in_two_ways_or_not_at_all(source, want):
    assert want in {code for code, *_ in problems(source)}


def test_each_problem_stands_at_its_place():
    assert problems(GOOD.replace("allow", "Allow").replace("staff", "Staff")) == [
        ("bad-id", 6, 12, "/spec/grants/0/id"),
        ("unknown-value", 6, 27, "/spec/grants/0/effect"),
    ]


def test_all_problems_of_all_files_are_said_at_once():
    with pytest.raises(PolicyRejected) as caught:
        load_documents({"b.yaml": b"- a", "a.yaml": b"a: [", "c.yaml": GOOD.encode()})
    assert [each.at.file for each in caught.value.diagnostics] == ["a.yaml", "b.yaml"]


def test_a_wrong_type_says_how_to_quote_it():
    with pytest.raises(PolicyRejected, match='Write it in quotes: "1"'):
        load_documents({"a.yaml": GOOD.replace('"1"', "1").encode()})


@pytest.mark.parametrize(
    "path", ["v1", "/v1/", "//v1", "/v1/../x", "/./v1", "/v1?x", "/v%31", "/"], ids=lambda path: f"path {path}"
)
def test_refuses_paths_that_are_not_exact(path):
    source = f'kind: routes\nid: r\nversion: "1"\nspec: {{routes: [{{id: a, method: POST, path: "{path}", operation: chat, dialect: openai.chat}}]}}\n'
    assert [code for code, *_ in problems(source)] == ["bad-path"]


@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@example(b"? a\n: b")
@example(b'{"a": NaN}')
@example(b"%TAG ! x\n--- a")
def test_any_bytes_give_documents_or_a_rejection(raw):
    for file in ("a.yaml", "a.json"):
        try:
            got = load_documents({file: raw})
        except PolicyRejected as exc:
            assert exc.diagnostics  # noqa: PT017  # either is right, nothing else is
        else:
            assert all(isinstance(each, PolicyDocument) for each in got)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(list("\0\t:-[]{}&*!|>'\"%@`#?,\n0é")))
def test_a_good_document_with_another_character_gives_documents_or_a_rejection(place, character):
    try:
        load_documents({"a.yaml": (GOOD[:place] + character + GOOD[place + 1 :]).encode()})
    except PolicyRejected as exc:
        assert exc.diagnostics  # noqa: PT017  # either is right, nothing else is
