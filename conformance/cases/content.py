# SPDX-License-Identifier: Apache-2.0
"""Cases 47 to 50: parts of a message that nobody could examine."""

from typing import Final

from conformance.case import ANSWERED, Ask, Case, chat, refused, row, rows_of

_FIELD: Final = refused(400, "field-not-permitted", "field-invalid", "modality-not-permitted")


def _part(**part: object) -> Ask:
    return Ask(body=chat(messages=[{"role": "user", "content": [part]}]))


def _image(url: str) -> Ask:
    return _part(type="image_url", image_url={"url": url})


def _prompt(prompt: object) -> Ask:
    body = chat(prompt=prompt).replace(b'"messages": [{"role": "user", "content": "<MARK>"}], ', b"")
    return Ask(line=b"POST /v1/completions HTTP/1.1", body=body)


CONTENT_CASES: Final = (
    Case(
        number=47,
        title="Text in parts passes, a part of an unknown kind is refused",
        rows=(
            row("sibling: a part of text", ANSWERED, _part(type="text", text="<MARK>")),
            *rows_of(
                _FIELD,
                {
                    "unknown kind": _part(type="hologram", hologram="<MARK>"),
                    "no kind": _part(text="<MARK>"),
                    "kind in capitals": _part(type="TEXT", text="<MARK>"),
                    "two kinds in one": _part(type="text", text="<MARK>", image_url={"url": "x"}),
                    "text that is none": _part(type="text", text={"x": 1}),
                    "a part of another api": _part(type="input_text", text="<MARK>"),
                    "null among the parts": Ask(body=chat(messages=[{"role": "user", "content": [None]}])),
                    "refusal of a user": _part(type="refusal", refusal="<MARK>"),
                },
            ),
        ),
    ),
    Case(
        number=48,
        title="The server is not made to fetch an address",
        rows=rows_of(
            _FIELD,
            {
                url: _image(url)
                for url in (
                    "http://169.254.169.254/latest/meta-data",
                    "http://2852039166/",
                    "http://0xA9FEA9FE/",
                    "http://[::ffff:169.254.169.254]/",
                    "http://[::1]:8080/",
                    "http://localhost/",
                    "https://example.com@169.254.169.254/",
                    "https://example.com/cat.png",
                    "file:///etc/passwd",
                    "gopher://127.0.0.1:25/x",
                    "//example.com/cat.png",
                    "data:text/html;base64,PGI+",
                    "data:image/svg+xml;base64,PHN2Zy8+",
                    "data:,",
                )
            },
        ),
    ),
    Case(
        number=49,
        title="Images, sound and files, in which text would go unread, are refused",
        rows=rows_of(
            _FIELD,
            {
                "sound": _part(type="input_audio", input_audio={"data": "UklGRg==", "format": "wav"}),
                "file": _part(type="file", file={"file_id": "file-1"}),
                "file within": _part(
                    type="file", file={"filename": "a.pdf", "file_data": "data:application/pdf;base64,"}
                ),
                "image of another api": _part(type="input_image", image_url="data:image/png;base64,"),
                "video": _part(type="video_url", video_url={"url": "data:video/mp4;base64,"}),
                "answer in sound": Ask(body=chat(modalities=["text", "audio"], audio={"voice": "x", "format": "wav"})),
            },
        ),
    ),
    Case(
        number=50,
        title="A prompt of token ids, which nobody can read, is refused",
        rows=rows_of(
            _FIELD,
            {
                "token ids": _prompt([9906, 1917]),
                "lists of token ids": _prompt([[9906], [1917]]),
                "text among them": _prompt(["<MARK>", 1917]),
            },
        ),
    ),
)
