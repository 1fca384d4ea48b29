# SPDX-License-Identifier: Apache-2.0
"""The texts that redaction is measured with: prompts of the corpora, our own words in many languages, hostile ones."""

import base64
import gzip
import json
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("GATEHOUSE_CORPORA", ROOT.parent / "shared" / "corpora"))

# One sentence of our own in each of some scripts.
_SENTENCES = (
    "The parcel comes on Thursday, if the weather holds and nobody forgets it.",
    "Die Sendung kommt am Donnerstag, wenn das Wetter hält und es keiner vergißt.",
    "Le colis arrive jeudi, si le temps tient et que personne ne l’oublie à l’école.",
    "El paquete llega el jueves, si el tiempo aguanta y nadie se olvida mañana.",
    "Пакет придёт в четверг, если погода не испортится и никто о нём не забудет.",
    "Το δέμα έρχεται την Πέμπτη, αν κρατήσει ο καιρός και δεν το ξεχάσει κανείς.",
    "荷物は木曜日に届きます。天気がよければ、そして誰も忘れなければ。",
    "包裹星期四到，只要天气好，也没有人忘记。",
    "소포는 목요일에 옵니다. 날씨가 좋고 아무도 잊지 않는다면요.",
    "الطرد يصل يوم الخميس إذا بقي الطقس جيدا ولم ينسه أحد.",
    "החבילה מגיעה ביום חמישי, אם מזג האוויר יחזיק ואף אחד לא ישכח.",
    "पार्सल गुरुवार को आएगा, अगर मौसम ठीक रहा और कोई भूला नहीं।",
    "Paczka przyjdzie w czwartek, jeśli pogoda się utrzyma i nikt jej nie zapomni 🙂",
)


def rows(name: str) -> list[dict[str, object]]:
    """Return the rows of a corpus, such as `pii/presidio_synth_v2`; none where there are no corpora."""
    path = CORPORA / f"{name}.jsonl.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def english() -> list[str]:
    """Return prompts that nobody means harm with; without the corpora, the pages of this repository."""
    prompts = [str(row["text"]) for row in rows("prompts/prompts") if row["label"] == "benign"]
    return prompts or [path.read_text() for path in own_pages()]


def multilingual(characters: int = 400_000) -> str:
    chance = random.Random(1)
    sentences: list[str] = []
    while sum(map(len, sentences)) < characters:
        sentences += chance.sample(_SENTENCES, len(_SENTENCES))
    return " ".join(sentences)


def own_pages() -> list[Path]:
    return sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])


def own_code() -> list[Path]:
    """Return our sources without those that hold samples of findings."""
    packages = ("policies", "controlplane", "proxy_addons", "inference", "conformance", "benchmarks", "demo")
    sources = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in sources if path.relative_to(ROOT).parts[:2] != ("policies", "detectors")]


def blocks(texts: list[str], size: int) -> list[str]:
    """Return the texts one behind the other, cut into pieces of `size` characters."""
    text = "\n".join(texts)
    return [text[at : at + size] for at in range(0, len(text), size)]


def hostile(size: int) -> Mapping[str, str]:
    """Return texts of about `size` characters, each of which keeps some part of the work as busy as it can."""
    chance = random.Random(2)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def filled(*pieces: str) -> str:
        return ("".join(pieces) * (size // len("".join(pieces)) + 1))[:size]

    def drawn(alphabet: str) -> str:
        return "".join(chance.choices(alphabet, k=size))

    blob = base64.b64encode(chance.randbytes(size)).decode()[:size]
    nested = "the quick brown fox " * (size // 60)
    for _ in range(3):
        nested = base64.b64encode(nested.encode()).decode()[:size]
    return {
        "digits": drawn("0123456789"),
        "digits with spaces": drawn("0123456789   "),
        "cards that fail their check digit": filled("4111 1111 1111 1112 "),
        "groups of digits with dashes": filled("078-05-1121-"),
        "@": filled("@"),
        "a@a@a@": filled("a@"),
        "addresses": filled("a.b@c.de "),
        "dots and letters": drawn("ab..-_"),
        "letters without end": filled("a"),
        "random letters and digits": drawn(letters + letters.upper() + "0123456789"),
        "base64": blob,
        "base64, three deep": nested,
        "hex": chance.randbytes(size // 2).hex(),
        "backslashes": filled("\\"),
        "JSON escapes": filled("\\u0034"),
        "percent escapes": filled("%34%20"),
        "percent signs": filled("%"),
        "HTML entities": filled("&#52;"),
        "ampersands": filled("&#"),
        "password=": filled("password="),
        "secret: and letters": filled("secret: ", "x" * 30, " "),
        "beginnings of keys": filled("sk-", "AKIA", "ghp_", "eyJ"),
        "BEGIN": filled("-----BEGIN "),
        "dashes": filled("-"),
        "spaces": filled(" "),
        "line feeds": filled("\n"),
        "brackets": filled("[redacted:"),
        "zero-width between digits": filled("4\u200b1\u200b1\u200b1\u200b"),
        "full-width digits": filled("４１１１ "),
        "combining marks": filled("a" + "\u0301" * 30),
        "NFKC that grows": filled("\ufdfa"),
        "confusables": filled("раssword=х"),
        "tags": filled("\U000e0041"),
    }


def recorded_streams() -> Iterator[list[str]]:
    """Give the pieces of each text of each recorded stream, as the model sent them."""
    for row in rows("openai/http_interactions"):
        body = row.get("response_body")
        if not row.get("sse") or not isinstance(body, str):
            continue
        texts: dict[tuple[int, str], list[str]] = {}
        for line in body.splitlines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line[6:]).get("choices", ()):
                for name, piece in (choice.get("delta") or {}).items():
                    if isinstance(piece, str) and name != "role":
                        texts.setdefault((choice["index"], name), []).append(piece)
        yield from texts.values()
