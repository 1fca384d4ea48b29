# SPDX-License-Identifier: Apache-2.0
"""Each token that a run was given has a client of its own, and a token without an address is told of."""

import click
import pytest

from conformance.api_clients import api_clients

URL = "http://127.0.0.1:9"


def token_file(folder, text, name="token"):
    file = folder / name
    file.write_text(text)
    return file


def test_without_an_address_nobody_is_asked():
    with api_clients(None, (None, None), None) as clients:
        assert clients == (None, None)


def test_each_client_shows_its_own_token_and_stands_where_its_file_stood(tmp_path):
    first, second = token_file(tmp_path, "ght_one\n", "one"), token_file(tmp_path, " ght_two ", "two")
    with api_clients(URL, (first, None, second), None) as (one, nobody, two):
        assert [client.headers["authorization"] for client in (one, two)] == ["Bearer ght_one", "Bearer ght_two"]
        assert {str(client.base_url) for client in (one, two)} == {URL}
        assert nobody is None
    assert one.is_closed
    assert two.is_closed


@pytest.mark.parametrize(("url", "texts"), [(URL, []), (None, ["ght_one"])])
def test_an_address_and_a_token_need_each_other(url, texts, tmp_path):
    files = (*(token_file(tmp_path, text) for text in texts), None)
    with pytest.raises(click.UsageError, match="--api needs"), api_clients(url, files, None):
        pass


@pytest.mark.parametrize("text", ["", "\n", "ght_one\nght_two", "ght_one\tx", "schlüssel"])
def test_a_file_that_holds_no_token_is_named_and_not_shown(text, tmp_path):
    file = token_file(tmp_path, text)
    with pytest.raises(click.UsageError) as refused, api_clients(URL, (file,), None):
        pass
    assert refused.value.message == f"{file} holds no token"
