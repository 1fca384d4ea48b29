# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from proxy_addons.core.multipart_form import Field, NotStrictForm, boundary_of, parse_form, write_form

B = b"xYz"
TEXT = b'Content-Disposition: form-data; name="model"\r\n\r\nparrot'
FILE = b'Content-Disposition: form-data; name="file"; filename="../a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\nID3\0\r\n'


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--xYz\r\n" + part + b"\r\n" for part in parts) + b"--xYz" + end


@pytest.mark.parametrize("end", [b"--\r\n", b"--"])
def test_parts_are_read_in_order(end):
    assert parse_form(form(TEXT, FILE, end=end), B) == [
        Field(name="model", text="parrot"),
        Field(name="file", content=b"ID3\0\r\n", media_type="audio/mpeg"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(form(), id="no-part"),
        pytest.param(b"preamble\r\n" + form(TEXT), id="text-before"),
        pytest.param(b"\r\n" + form(TEXT), id="empty-line-before"),
        pytest.param(form(TEXT) + b"epilogue", id="text-behind"),
        pytest.param(form(TEXT) + form(TEXT), id="second-form"),
        pytest.param(form(TEXT, end=b""), id="no-end"),
        pytest.param(form(TEXT)[:-20], id="cut"),
        pytest.param(form(TEXT, end=b"-- \r\n"), id="blank-behind-the-end"),
        pytest.param(form(TEXT).replace(b"--xYz\r\n", b"--xYz \r\n"), id="blank-behind-a-boundary"),
        pytest.param(form(TEXT + b"\r\n--xYzz\r\n"), id="boundary-that-begins-like-it"),
        pytest.param(form(TEXT + b"\n--xYz\n" + TEXT), id="boundary-behind-a-bare-line-feed"),
        pytest.param(form(TEXT + b"\r--xYz--"), id="boundary-behind-a-bare-return"),
        pytest.param(form(TEXT).replace(b"\r\n", b"\n"), id="bare-line-feeds"),
        pytest.param(form(*[TEXT] * 33), id="too-many-parts"),
        pytest.param(form(b"x"), id="part-without-a-head"),
        pytest.param(form(b"\r\nx"), id="part-with-an-empty-head"),
        pytest.param(form(b"Content-Type: text/plain\r\n\r\nx"), id="no-disposition"),
        pytest.param(form(b"X-Long: " + b"a" * 2000 + b"\r\n" + TEXT), id="long-head"),
        pytest.param(form(b"X-A: b\r\n" + TEXT), id="other-field"),
        pytest.param(form(b"Content-Transfer-Encoding: base64\r\n" + TEXT), id="transfer-encoding"),
        pytest.param(form(b'Content-Disposition: form-data; name="a"\r\n' + TEXT), id="two-dispositions"),
        pytest.param(form(b"Content-Type : text/plain\r\n" + TEXT), id="blank-before-the-colon"),
        pytest.param(form(TEXT.replace(b"form-data;", b"form-data;\r\n")), id="folded"),
        pytest.param(form(TEXT.replace(b"form-data", b"attachment")), id="attachment"),
        pytest.param(form(TEXT.replace(b'"model"', b"model")), id="name-without-quotes"),
        pytest.param(form(TEXT.replace(b'"model"', b'"mo\\"del"')), id="escape-in-a-name"),
        pytest.param(form(TEXT.replace(b'"model"', b'"model"; name="x"')), id="two-names"),
        pytest.param(form(TEXT.replace(b"model", "mödel".encode())), id="name-beyond-ascii"),
        pytest.param(form(TEXT.replace(b'"model"', b"\"model\"; filename*=UTF-8''a")), id="encoded-file-name"),
        pytest.param(form(FILE.replace(b"../a.mp3", b'a\\"b')), id="escape-in-a-file-name"),
        pytest.param(form(FILE.replace(b"../a.mp3", b"a\0b")), id="nul-in-a-file-name"),
        pytest.param(form(FILE.replace(b"Content-Type: audio/mpeg\r\n", b"")), id="file-without-a-type"),
        pytest.param(form(FILE.replace(b"audio/mpeg", b"multipart/mixed; boundary=a")), id="nested"),
        pytest.param(form(FILE.replace(b"audio/mpeg", b"multipart/mixed")), id="nested-without-a-boundary"),
        pytest.param(form(b"Content-Type: text/html\r\n" + TEXT), id="text-of-another-type"),
        pytest.param(form(b"Content-Type: text/plain; charset=utf-7\r\n" + TEXT), id="charset"),
        pytest.param(form(TEXT + b"\xff"), id="not-utf-8"),
    ],
)
def test_what_parsers_read_differently_is_refused(body):
    with pytest.raises(NotStrictForm):
        parse_form(body, B)


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (b"multipart/form-data; boundary=xYz", b"xYz"),
        (b"Multipart/Form-Data;boundary=----WebKitFormBoundary7MA", b"----WebKitFormBoundary7MA"),
        (b'multipart/form-data; boundary="a b(c)=?"', b"a b(c)=?"),
        (b"multipart/form-data; boundary=" + b"a" * 70, b"a" * 70),
    ],
)
def test_boundary_is_read(value, want):
    assert boundary_of(value) == want


@pytest.mark.parametrize(
    "value",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary=""',
        b'multipart/form-data; boundary="a "',
        b"multipart/form-data; boundary=" + b"a" * 71,
        b"multipart/form-data; boundary=a; boundary=b",
        b"multipart/form-data; boundary=a; charset=utf-8",
        b"multipart/form-data; charset=utf-8; boundary=a",
        b"multipart/form-data; boundary=a b",
        b'multipart/form-data; boundary="a\\"b"',
        b"multipart/form-data; boundary*=utf-8''a",
        b"multipart/mixed; boundary=a",
        b"multipart/form-data, multipart/form-data; boundary=a",
        b"application/json",
    ],
)
def test_any_other_media_type_has_none(value):
    assert boundary_of(value) is None


FIELDS = st.lists(
    st.one_of(
        st.builds(
            Field,
            name=st.from_regex(r"[a-z_]{1,8}(\[\])?", fullmatch=True),
            text=st.text(st.characters(exclude_categories=["Cs"])),
        ),
        st.builds(Field, name=st.just("file"), content=st.binary(), media_type=st.just("audio/mpeg")),
    ),
    min_size=1,
    max_size=5,
)


@given(FIELDS)
def test_form_that_was_written_is_read_by_us_and_by_others(fields):
    media_type, body = write_form(fields, file_name="audio.mp3", file_type="audio/mpeg")
    boundary = boundary_of(media_type)
    assert parse_form(body, boundary) == fields
    assert write_form(parse_form(body, boundary), file_name="audio.mp3", file_type="audio/mpeg") == (media_type, body)
    assert contents_by_library(body, boundary) == [
        field.content if field.text is None else field.text.encode() for field in fields
    ]


def contents_by_library(body: bytes, boundary: bytes) -> list[bytes]:
    contents: list[bytes] = []

    def take(data: bytes, start: int, end: int) -> None:
        contents[-1] += data[start:end]

    parser = MultipartParser(boundary, {"on_part_begin": lambda: contents.append(b""), "on_part_data": take})
    parser.write(body)
    parser.finalize()
    return contents


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 8))
def test_no_bytes_raise_anything_else(noise, place, length):
    body = form(TEXT, FILE)
    try:
        assert parse_form(body[:place] + noise + body[place + length :], B)
    except NotStrictForm:
        return
