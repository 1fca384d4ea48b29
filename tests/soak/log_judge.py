# SPDX-License-Identifier: Apache-2.0
"""What must hold of a log after kills, and that what does not hold would be found."""

import base64
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx
from sqlalchemy import select, update

from controlplane.audit.archive_files import open_archive
from controlplane.audit.archive_verifier import verify_archive
from controlplane.audit.checkpoints import Checkpoint
from controlplane.audit.notes import parse_note
from controlplane.audit.verification import ProofInvalid, verify_consistency
from controlplane.client import ApiClient, ApiError, ApiUnreachable
from controlplane.store.engine import WRITES, open_database
from controlplane.store.log_tables import records
from tests.integration.conftest import RunningGatehouse
from tests.soak.kept_log import ALTERATIONS, KeptLog, alter, read_log

STRICT, BEST_EFFORT = "strict", "best-effort"
_SHIPPED_S = 120.0
_SIGNED_AGAIN_S = 6.0  # three checkpoints later
_ALTERATIONS = 20
_T = TypeVar("_T")


@dataclass
class Report:
    answered: int = 0
    unrecorded: int = 0
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    lost: int = 0
    checkpoints: int = 0
    altered: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def entries(self) -> int:
        return self.kinds.total()


class LogJudge:
    """Writes into `report` what it finds. `records` is how the policy has records kept."""

    def __init__(self, running: RunningGatehouse, report: Report, *, records: str, seed: int) -> None:
        self._running, self._report, self._records = running, report, records
        self._dice = random.Random(seed)
        held = running.credentials
        self._url, self._token = held["api_url"], held["tokens"]["auditor"]
        self._auditor = ApiClient(self._url, self._token)

    def close(self) -> None:
        self._auditor.close()

    def judge(self, answered: Mapping[str, int], notes: Iterable[bytes], *, database: str) -> None:
        """Judge the log against what clients were told, the checkpoints that were served, and itself."""
        self._report.answered = len(answered)
        self._await_records(answered)
        self._judge_checkpoints({note: Checkpoint.parse(parse_note(note).text) for note in notes})
        archive = self._running.home / "log.zip"
        self._command("evidence", "archive", "-o", str(archive))
        self._command("audit", "verify", str(archive), *self._kept(notes))
        self._command("audit", "fsck")
        if archive.exists():
            self._judge_entries(read_log(archive), answered)
            self._judge_alterations(archive)
            self._judge_altered_database(database)

    def _await_records(self, answered: Mapping[str, int]) -> None:
        """Wait until the end of every request that was answered is found, and a checkpoint covers it."""
        missing = set(answered)
        deadline = time.monotonic() + (_SHIPPED_S if self._records == STRICT else _SHIPPED_S / 6)
        while missing and time.monotonic() < deadline:
            with suppress(ApiUnreachable, ApiError):
                found = Counter(
                    item["request_id"]
                    for item in self._auditor.every("/v1/decisions", {"limit": 500})
                    if item["complete"]
                )
                missing = {name for name in answered if found[name] != 1}
            time.sleep(1)
        if self._records == STRICT:
            self._report.wrong += [f"{name} was answered and is not found once" for name in sorted(missing)]
        time.sleep(_SIGNED_AGAIN_S)

    def _judge_checkpoints(self, kept: dict[bytes, Checkpoint]) -> None:
        note = self._patiently(lambda: self._raw("/tlog/default/checkpoint"))
        last = kept[note] = Checkpoint.parse(parse_note(note).text)
        self._report.checkpoints = len(kept)
        roots: dict[int, set[bytes]] = {}
        for checkpoint in kept.values():
            roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
        for size, signed in sorted(roots.items()):
            if len(signed) > 1:
                self._report.wrong.append(f"{len(signed)} roots were signed for {size} entries")
            proof = self._patiently(partial(self._consistency, size, last.size))
            for root in signed:
                try:
                    verify_consistency(proof, first=size, second=last.size, first_root=root, second_root=last.root)
                except ProofInvalid as exc:
                    self._report.wrong.append(f"the checkpoint of {size} entries does not begin the last one: {exc}")

    def _judge_entries(self, log: KeptLog, answered: Mapping[str, int]) -> None:
        self._report.kinds, self._report.missing, self._report.lost = log.kinds, log.missing, log.lost
        self._report.wrong += log.wrong()
        recorded = {name: status for name, status in answered.items() if name in log.statuses}
        self._report.unrecorded = len(answered) - len(recorded)
        if self._records == BEST_EFFORT:
            self._report.wrong += log.differences(recorded)
            return
        self._report.wrong += log.differences(answered)
        if log.missing or log.lost:
            self._report.wrong.append(f"{log.missing} numbers are missing, {log.lost} records are told as lost")

    def _judge_alterations(self, archive: Path) -> None:
        """Alter copies of the archive: each is found, and one that only was written again is not."""
        copy = archive.with_name("altered.zip")
        alter(archive, copy, lambda *_: None, seed=0)
        if not _is_whole(copy):
            self._report.wrong.append("the archive, written again as it is, is not found to be whole")
        for number in range(_ALTERATIONS):
            alteration = ALTERATIONS[number % len(ALTERATIONS)]
            alter(archive, copy, alteration, seed=self._dice.randrange(1_000_000))
            if _is_whole(copy):
                self._report.wrong.append(f"alteration {number} ({alteration.__name__}) of the archive was not found")
            else:
                self._report.altered += 1

    def _judge_altered_database(self, url: str) -> None:
        """Alter one envelope in the database, and put it back: fsck finds it, and then nothing."""
        index = self._dice.randrange(self._report.entries)
        row = records.c.log_index == index
        engine = open_database(url)
        try:
            with engine.execution_options(**{WRITES: True}).begin() as connection:
                before = connection.execute(select(records.c.envelope).where(row)).scalar_one()
                after = before.replace(b'"time":"2', b'"time":"3', 1)
                connection.execute(update(records).where(row).values(envelope=after))
            if after == before or not self._running.gatehouse("audit", "fsck").returncode:
                self._report.wrong.append(f"an altered envelope in the database ({index}) was not found")
            else:
                self._report.altered += 1
            with engine.execution_options(**{WRITES: True}).begin() as connection:
                connection.execute(update(records).where(row).values(envelope=before))
        finally:
            engine.dispose()
        self._command("audit", "fsck")

    def _command(self, *arguments: str) -> None:
        done = self._running.gatehouse(*arguments)
        if done.returncode:
            told = (done.stdout + done.stderr)[-2000:]
            self._report.wrong.append(f"gatehouse {' '.join(arguments[:2])} ended with {done.returncode}: {told}")

    def _kept(self, notes: Iterable[bytes]) -> list[str]:
        folder = self._running.home / "kept"
        folder.mkdir()
        arguments = []
        for number, note in enumerate(notes):
            file = folder / str(number)
            file.write_bytes(note)
            arguments += ["--checkpoint", str(file)]
        return arguments

    def _consistency(self, first: int, second: int) -> list[bytes]:
        told = self._auditor.get("/v1/audit/proofs/consistency", {"first": first, "second": second}).body["hashes"]
        return [base64.b64decode(one) for one in told]

    def _raw(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = httpx.get(self._url + path, headers=headers, trust_env=False, timeout=10)
        answer.raise_for_status()
        return answer.content

    def _patiently(self, question: Callable[[], _T]) -> _T:
        """Ask until the control plane, which may just be starting again, answers."""
        deadline = time.monotonic() + _SHIPPED_S
        while True:
            try:
                return question()
            except (ApiUnreachable, ApiError, httpx.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def _is_whole(archive: Path) -> bool:
    with open_archive(archive) as opened:
        return verify_archive(opened).exit_code == 0
