# SPDX-License-Identifier: Apache-2.0
import os

import httpx
import pytest

from controlplane.client import ApiClient, ApiError, ApiUnreachable


def client(answer) -> ApiClient:
    return ApiClient("http://gatehouse.test", "t" * 40, transport=httpx.MockTransport(answer))


def test_it_sends_the_token_and_the_state_a_change_starts_from():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": "a"}, headers={"ETag": '"sha256:b"'})

    made = client(answer).post("/v1/policies/a/revisions", {"source": "x"}, if_match="sha256:a")
    assert (made.body, made.etag) == ({"id": "a"}, "sha256:b")
    assert seen[0].headers["Authorization"] == "Bearer " + "t" * 40
    assert seen[0].headers["If-Match"] == '"sha256:a"'


def test_it_follows_the_cursor_to_the_last_page():
    pages = {None: (["a", "b"], "c1"), "c1": (["c"], "c2"), "c2": ([], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["model"] == "parrot"
        items, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"items": [{"id": name} for name in items], "next_cursor": cursor})

    found = client(answer).every("/v1/decisions", {"model": "parrot"})
    assert [item["id"] for item in found] == ["a", "b", "c"]


def test_a_refusal_says_everything_that_is_wrong():
    problem = {
        "title": "Bad Request",
        "detail": "2 things are wrong.",
        "code": "policy-rejected",
        "errors": [
            {
                "code": "unknown-key",
                "pointer": "/a",
                "message": "No such key.",
                "file": "a.yaml",
                "line": 3,
                "column": 5,
            },
            {"code": "body-invalid", "pointer": "/id", "message": "Missing.", "fix": "Add it."},
        ],
    }
    with pytest.raises(ApiError) as caught:
        client(lambda _: httpx.Response(400, json=problem)).get("/v1/policies")
    assert caught.value.lines == [
        "Bad Request (400): 2 things are wrong.",
        "a.yaml:3:5: unknown-key No such key.",
        "/id: body-invalid Missing. Add it.",
    ]
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(502, text="<html>bad gateway</html>"), "Bad Gateway (502)"),
        (httpx.Response(500, json=["not", "an", "object"]), "Internal Server Error (500)"),
        (httpx.Response(302, headers={"Location": "http://elsewhere.test"}), "Found (302)"),
    ],
)
def test_what_is_no_problem_document_is_a_refusal_all_the_same(answer, says):
    with pytest.raises(ApiError) as caught:
        client(lambda _: answer).get("/v1/policies")
    assert caught.value.lines == [says]


def test_an_answer_that_is_not_json_is_of_no_control_plane():
    with pytest.raises(ApiUnreachable, match="not a control plane"):
        client(lambda _: httpx.Response(200, text="hello")).get("/v1/policies")


def test_an_answer_without_body_has_none():
    assert client(lambda _: httpx.Response(204)).delete("/v1/api-keys/a").body is None


def test_a_broken_connection_names_the_address_and_not_the_token():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    with pytest.raises(ApiUnreachable) as caught:
        client(broken).get("/v1/policies")
    assert "http://gatehouse.test" in str(caught.value)
    assert "tttt" not in str(caught.value)


def test_the_token_is_shown_to_no_proxy_of_the_environment(monkeypatch, free_port):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    with pytest.raises(ApiUnreachable, match=str(free_port)):
        ApiClient(f"http://127.0.0.1:{free_port}", "t" * 40).get("/v1/policies")


def test_it_takes_a_stream_of_events_up_where_it_ended(monkeypatch):
    monkeypatch.setattr("controlplane.client.time.sleep", lambda _seconds: None)
    asked = []
    streams = iter(
        [
            b'retry: 1000\nid: 4\n\nevent: decision\nid: 5\ndata: {"n":5}\n\n: still here\nid: 7\n\n',
            b'event: decision\nid: 8\ndata: {"n":8}\n\nevent: end\ndata: {"code":"token-invalid"}\n\n',
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("Last-Event-ID"))
        content = next(streams, None)
        return (
            httpx.Response(401, json={"title": "Unauthorized"})
            if content is None
            else httpx.Response(200, content=content)
        )

    followed = client(answer).follow("/v1/decisions:tail")
    assert [next(followed), next(followed)] == [{"n": 5}, {"n": 8}]
    with pytest.raises(ApiError):
        next(followed)
    assert asked == [None, "7", "8"]


def test_what_a_stream_tells_is_given_at_once():
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b'event: decision\nid: 5\ndata: {"n":5}\n\n')

    assert next(client(answer).follow("/v1/decisions:tail")) == {"n": 5}


def test_a_stream_that_nobody_serves_is_told():
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ApiUnreachable):
        next(client(answer).follow("/v1/decisions:tail"))
