# SPDX-License-Identifier: Apache-2.0
"""An archive of a log, read without any code of the product; and altered, to see whether that is found."""

import base64
import hashlib
import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_Lines = list[dict[str, Any]]
_Boot = tuple[str, str]


@dataclass
class KeptLog:
    """What the entries say: `statuses` by request, of each of its terminal records; `numbers` by boot, with repetitions."""

    kinds: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, list[int | None]] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    numbers: dict[_Boot, Counter[int]] = field(default_factory=dict)
    lost: int = 0

    @property
    def missing(self) -> int:
        """Count the numbers between a boot's first and its last that are not there, whatever explains them."""
        return sum(max(seen) - len(seen) for seen in self.numbers.values())

    def wrong(self) -> list[str]:
        """Return what must not be, whatever died: something twice, or a request that was let in and never ended."""
        twice = [
            f"number {seq} of {'/'.join(boot)} is there {count} times"
            for boot, seen in self.numbers.items()
            for seq, count in seen.items()
            if count != 1
        ]
        ended_twice = [f"{name} ended {len(told)} times" for name, told in self.statuses.items() if len(told) != 1]
        return [*twice, *ended_twice, *(f"{name} never ended" for name in sorted(self.admitted - self.statuses.keys()))]

    def differences(self, answered: Mapping[str, int]) -> list[str]:
        """Return how the records differ from the status that each client was told."""
        return [
            f"{name} was told {status}, recorded as {self.statuses.get(name, 'nothing')}"
            for name, status in sorted(answered.items())
            if self.statuses.get(name) != [status]
        ]


def read_log(archive: Path) -> KeptLog:
    log = KeptLog()
    for line in _lines(archive):
        members = json.loads(line["envelope"])
        log.kinds[members["kind"]] += 1
        if source := members.get("source"):
            log.numbers.setdefault((source["id"], source["boot_id"]), Counter())[source["seq"]] += 1
        match members["kind"]:
            case "terminal":
                log.statuses.setdefault(members["request_id"], []).append(members["http"]["status"])
            case "admission":
                log.admitted.add(members["request_id"])
            case "loss":
                log.lost += members["count"]
    return log


def _lines(archive: Path) -> _Lines:
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.startswith("entries-"))
        return [json.loads(line) for name in names for line in opened.read(name).splitlines()]


# ── alterations: what is stated beside the entries goes with them, so that only the tree can tell ──


def _change_a_character(lines: _Lines, at: int, dice: random.Random) -> None:
    text = lines[at]["envelope"]
    place = text.index('"time":"') + len('"time":"') + dice.randrange(4)
    _say(lines[at], text[:place] + chr((ord(text[place]) - 47) % 10 + 48) + text[place + 1 :])


def _leave_out(lines: _Lines, at: int, _: random.Random) -> None:
    del lines[at]


def _renumber_without(lines: _Lines, at: int, _: random.Random) -> None:
    del lines[at]
    _renumber(lines)


def _repeat(lines: _Lines, at: int, _: random.Random) -> None:
    lines.insert(at, dict(lines[at]))
    _renumber(lines)


def _exchange(lines: _Lines, at: int, dice: random.Random) -> None:
    other = dice.choice([index for index in range(max(0, at - 50), min(len(lines), at + 50)) if index != at])
    lines[at], lines[other] = lines[other], lines[at]
    _renumber(lines)


ALTERATIONS: tuple[Callable[[_Lines, int, random.Random], None], ...] = (
    _change_a_character,
    _leave_out,
    _renumber_without,
    _repeat,
    _exchange,
)


def alter(archive: Path, target: Path, alteration: Callable[[_Lines, int, random.Random], None], seed: int) -> None:
    """Write to `target` what `archive` is after `alteration` of one entry, its manifest made to fit."""
    dice = random.Random(seed)
    lines = _lines(archive)
    alteration(lines, dice.randrange(len(lines)), dice)
    entries = b"".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in lines)
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(target, "w") as altered:
        files = {name: opened.read(name) for name in opened.namelist() if not name.startswith("entries-")}
        manifest = json.loads(files.pop("manifest.json"))
        for number, begin in enumerate(range(0, len(lines), 65_536)):
            part = b"".join(entries.splitlines(keepends=True)[begin : begin + 65_536])
            files[f"entries-{number:05}.ndjson"] = part
        manifest["files"] = {name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()}
        altered.writestr("manifest.json", json.dumps(manifest))
        for name, content in files.items():
            altered.writestr(name, content)


def _say(line: dict[str, Any], envelope: str) -> None:
    line["envelope"] = envelope
    line["leaf_hash"] = base64.b64encode(hashlib.sha256(b"\0" + envelope.encode()).digest()).decode()


def _renumber(lines: _Lines) -> None:
    for index, line in enumerate(lines):
        line["index"] = index
