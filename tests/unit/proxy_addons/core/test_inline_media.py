# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from proxy_addons.core.inline_media import audio_data, image_url
from proxy_addons.core.refused import Refused
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import route

READING = Reading(route())
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 20).decode()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("png", b"\x89PNG\r\n\x1a\nx"),
        ("jpeg", b"\xff\xd8\xff\xe0"),
        ("gif", b"GIF89a"),
        ("webp", b"RIFF\n\0\0\0WEBPVP8 "),
    ],
)
def test_image_that_is_what_it_says_is_taken(kind, content):
    image_url(f"data:image/{kind};base64,{base64.b64encode(content).decode()}", READING)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.invalid/a.png",
        "http://2852039166/",
        "http://[::ffff:169.254.169.254]/",
        "https://good.example@evil.invalid/",
        "//evil.invalid/a.png",
        "file:///etc/passwd",
        "ftp://x/y",
        "blob:x",
        "DATA:image/png;base64," + PNG,
        " data:image/png;base64," + PNG,
        "",
    ],
)
def test_reference_to_elsewhere_is_refused(url):
    with pytest.raises(Refused, match="remote-url-not-permitted"):
        image_url(url, READING)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(None, id="nothing"),
        pytest.param(7, id="number"),
        pytest.param("data:text/html;base64," + PNG, id="html"),
        pytest.param("data:image/svg+xml;base64," + PNG, id="svg"),
        pytest.param("data:image/png," + PNG, id="not-base64"),
        pytest.param("data:image/png;charset=utf-8;base64," + PNG, id="parameter"),
        pytest.param("data:;base64," + PNG, id="no-type"),
        pytest.param("data:image/png;base64," + PNG[:-1], id="cut-base64"),
        pytest.param("data:image/png;base64,\n" + PNG, id="newline-in-base64"),
        pytest.param("data:image/png;base64," + PNG + "=", id="too-much-padding"),
        pytest.param("data:image/png;base64,", id="empty"),
        pytest.param("data:image/jpeg;base64," + PNG, id="png-said-to-be-jpeg"),
        pytest.param("data:image/png;base64," + PNG.replace("i", "і"), id="cyrillic"),
        pytest.param("data:image/png;base64," + "A" * (29 * 1024 * 1024), id="too-large"),
    ],
)
def test_image_that_is_not_what_it_says_is_refused(url):
    with pytest.raises(Refused, match="field-invalid"):
        image_url(url, READING)


@pytest.mark.parametrize(
    ("value", "taken"), [("AAAA", True), ("", False), ("A", False), (None, False), ("AA A", False)]
)
def test_sound_is_strict_base64(value, taken):
    try:
        audio_data(value, READING)
    except Refused:
        assert not taken
    else:
        assert taken
