# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect, Modality, UnknownFields
from proxy_addons.core.multipart_form import Field, boundary_of, parse_form, write_form
from proxy_addons.core.refused import Refused
from proxy_addons.core.transcription_request import read_transcription
from tests.unit.proxy_addons.harness import route

SOUND = Field(name="file", content=b"ID3\4sound", media_type="audio/mpeg")
MODEL = Field(name="model", text="parrot")
AUDIO = {"allow_uncovered": (Modality.AUDIO,)}


def texts(**fields: str) -> list[Field]:
    return [Field(name=name, text=text) for name, text in fields.items()]


def read(*fields: Field, file_type: str = "audio/mpeg", **options):
    media_type, body = write_form(fields, file_name="../../etc/passwd", file_type=file_type)
    asked = route(Dialect.TRANSCRIPTIONS, **(AUDIO | options))
    return read_transcription(body, boundary_of(media_type), asked)


def test_form_is_examined_and_written_again():
    got = read(MODEL, *texts(prompt="Zyntriq", language="de", temperature="0.2"), SOUND)
    assert (got.model, got.facts.text_chars) == ("parrot", len("Zyntriq"))
    assert got.uncovered == (("file", "audio"),)
    assert b'filename="audio.mp3"' in got.body
    assert b"passwd" not in got.body
    assert parse_form(got.body, boundary_of(got.media_type))[-1] == SOUND


def test_form_that_is_forwarded_reads_as_itself():
    once = read(MODEL, SOUND)
    again = read_transcription(once.body, boundary_of(once.media_type), route(Dialect.TRANSCRIPTIONS, **AUDIO))
    assert (again.body, again.media_type) == (once.body, once.media_type)
    assert again.facts == RequestFacts(body_bytes=len(once.body))


def test_granularities_may_come_twice():
    both = [Field(name="timestamp_granularities[]", text=word) for word in ("word", "segment")]
    assert read(MODEL, SOUND, *both, *texts(response_format="verbose_json")).model == "parrot"


def test_unknown_text_is_treated_as_the_route_says():
    unknown = Field(name="marzipan", text="abc")
    assert read(MODEL, SOUND, unknown, unknown_fields=UnknownFields.STRIP).stripped == 1
    assert read(MODEL, SOUND, unknown, unknown_fields=UnknownFields.PASS).facts.text_chars == len("marzipan" + "abc")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param([SOUND], "field-invalid", id="no-model"),
        pytest.param([MODEL], "field-invalid", id="no-file"),
        pytest.param([MODEL, MODEL, SOUND], "body-not-form", id="two-models"),
        pytest.param([MODEL, SOUND, SOUND], "body-not-form", id="two-files"),
        pytest.param([MODEL, Field(name="file", text="ID3")], "field-invalid", id="file-as-text"),
        pytest.param(
            [MODEL, SOUND, Field(name="other", content=b"ID3", media_type="audio/mpeg")],
            "field-invalid",
            id="other-file",
        ),
        pytest.param([Field(name="model", text="parrot "), SOUND], "field-invalid", id="model-with-a-blank"),
        pytest.param([MODEL, SOUND, *texts(stream="true")], "field-invalid", id="stream"),
        pytest.param([MODEL, SOUND, *texts(response_format="srt")], "field-invalid", id="subtitles"),
        pytest.param([MODEL, SOUND, *texts(temperature="nan")], "field-invalid", id="temperature"),
        pytest.param([MODEL, SOUND, *texts(language="de\r\nx: y")], "field-invalid", id="language"),
        pytest.param([MODEL, SOUND, *texts(marzipan="x")], "field-not-permitted", id="unknown"),
        pytest.param([MODEL, SOUND, *texts(Model="x")], "field-not-permitted", id="look-alike"),
        pytest.param(
            [MODEL, Field(name="file", content=b"<html>", media_type="audio/mpeg")], "field-invalid", id="no-sound"
        ),
        pytest.param(
            [MODEL, Field(name="file", content=b"", media_type="audio/mpeg")], "field-invalid", id="empty-file"
        ),
    ],
)
def test_what_the_protocol_does_not_have_is_refused(fields, code):
    with pytest.raises(Refused) as refused:
        read(*fields)
    assert refused.value.code == code


@pytest.mark.parametrize("name", ["Model", "model[]", "url", "file_url[]"])
def test_other_spelling_of_a_known_or_dangerous_field_does_not_pass(name):
    with pytest.raises(Refused, match="field-not-permitted"):
        read(MODEL, SOUND, Field(name=name, text="x"), unknown_fields=UnknownFields.PASS)


def test_sound_passes_only_where_the_route_says_so():
    with pytest.raises(Refused, match="modality-not-permitted: file"):
        read(MODEL, SOUND, allow_uncovered=())


def test_file_of_another_type_is_refused():
    with pytest.raises(Refused, match="field-invalid: file"):
        read(MODEL, SOUND, file_type="image/png")


@pytest.mark.parametrize(
    ("begins", "name"),
    [
        (b"RIFF\0\0\0\0WAVE", "audio.wav"),
        (b"\xff\xfb\x90", "audio.mp3"),
        (b"fLaC", "audio.flac"),
        (b"OggS", "audio.ogg"),
        (b"\x1aE\xdf\xa3", "audio.webm"),
        (b"\0\0\0\x18ftypM4A ", "audio.m4a"),
    ],
)
def test_sound_is_called_what_it_is(begins, name):
    got = read(MODEL, Field(name="file", content=begins, media_type="audio/mpeg"))
    assert f'filename="{name}"'.encode() in got.body


def test_what_is_no_form_is_refused():
    with pytest.raises(Refused, match="body-not-form"):
        read_transcription(b"{}", b"x", route(Dialect.TRANSCRIPTIONS))
