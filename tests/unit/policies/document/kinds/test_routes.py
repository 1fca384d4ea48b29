# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.snapshot import Encoding, Modality, Route, UnknownFields
from policies.document.loader import load_documents

ROUTE = "id: a, method: POST, path: /v1/a, operation: chat, dialect: openai.chat"


def document(route: str) -> dict[str, bytes]:
    return {"r.yaml": f'kind: routes\nid: r\nversion: "1"\nspec:\n  routes:\n    - {{{route}}}\n'.encode()}


def route_of(text: str) -> Route:
    (loaded,) = load_documents(document(text))
    return loaded.spec.routes[0]


def test_options_that_are_left_out_are_the_strict_ones():
    got = route_of(ROUTE)
    assert (got.unknown_fields, got.allow_fields, got.encodings, got.allow_uncovered) == (
        UnknownFields.REFUSE,
        (),
        (),
        (),
    )


def test_options_are_read():
    got = route_of(
        ROUTE + ", unknown_fields: strip, allow_fields: [guided_json, metadata], encodings: [gzip, deflate],"
        " allow_uncovered: [image]"
    )
    assert (got.unknown_fields, got.allow_fields) == (UnknownFields.STRIP, ("guided_json", "metadata"))
    assert (got.encodings, got.allow_uncovered) == ((Encoding.GZIP, Encoding.DEFLATE), (Modality.IMAGE,))


@pytest.mark.parametrize(
    ("options", "want"),
    [
        pytest.param("unknown_fields: ignore", [("unknown-value", "unknown_fields")], id="unknown-word"),
        pytest.param("allow_fields: [Model]", [("bad-field-name", "allow_fields/0")], id="field-in-another-case"),
        pytest.param("allow_fields: [a, a]", [("duplicate-value", "allow_fields/1")], id="field-twice"),
        pytest.param("encodings: [br]", [("unknown-value", "encodings/0")], id="unknown-encoding"),
        pytest.param("encodings: gzip", [("wrong-type", "encodings")], id="encoding-that-is-no-list"),
        pytest.param("encodings: [gzip, gzip]", [("duplicate-value", "encodings/1")], id="encoding-twice"),
        pytest.param("allow_uncovered: [video]", [("unknown-value", "allow_uncovered/0")], id="unknown-modality"),
        pytest.param("encoding: [gzip]", [("unknown-member", "/spec/routes/0")], id="misspelt-option"),
        pytest.param(
            "unknown_fields: 1, encodings: [zstd, 2]",
            [("unknown-value", "unknown_fields"), ("unknown-value", "encodings/0"), ("unknown-value", "encodings/1")],
            id="all-at-once",
        ),
    ],
)
def test_option_that_is_wrong_is_told_at_its_place(options, want):
    with pytest.raises(PolicyRejected) as rejected:
        load_documents(document(f"{ROUTE}, {options}"))
    got = [(each.code, each.at.pointer.removeprefix("/spec/routes/0/")) for each in rejected.value.diagnostics]
    assert got == want


@pytest.mark.parametrize(
    ("route", "option"),
    [
        (ROUTE.replace("POST", "GET").replace("openai.chat", "openai.models"), "encodings: [gzip]"),
        (ROUTE.replace("POST", "GET").replace("openai.chat", "openai.models"), "unknown_fields: strip"),
        (ROUTE.replace("openai.chat", "openai.completions"), "allow_uncovered: [image]"),
        (ROUTE.replace("openai.chat", "openai.transcriptions"), "allow_uncovered: [audio, image]"),
    ],
)
def test_option_that_would_change_nothing_is_refused(route, option):
    with pytest.raises(PolicyRejected) as rejected:
        load_documents(document(f"{route}, {option}"))
    assert [each.code for each in rejected.value.diagnostics] == ["option-without-effect"]
