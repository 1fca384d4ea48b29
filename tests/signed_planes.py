# SPDX-License-Identifier: Apache-2.0
"""A control plane for tests whose log is signed whenever the test says so."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.audit.note_keys import VerifierKey
from controlplane.identifiers import new_ulid
from controlplane.services.log_key import LogKey, new_log_key
from controlplane.services.sequencing import Sequencer
from controlplane.settings import LogSettings
from controlplane.store.leadership import leadership
from tests.control_planes import PlaneUnderTest, make_plane, sqlite_url


@dataclass
class SignedPlane:
    under_test: PlaneUnderTest
    sequencer: Sequencer
    key: LogKey
    folder: Path

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey.parse(self.key.vkey("default"))

    def sign(self) -> None:
        """Put what waits into the log, and sign it."""
        self.sequencer.step()

    def made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a job, let it be done, and return how it ended."""
        answer = self.under_test.call("POST", path, "auditor", json=body)
        assert answer.status_code == 202, answer.text
        self.sign()
        assert self.under_test.work() == 1
        ended: dict[str, Any] = self.under_test.call("GET", answer.headers["Location"], "auditor").json
        return ended

    def fetched(self, path: str, body: dict[str, Any], name: str = "archive.zip") -> Path:
        """Ask for a job, let it be done, and return the file that came of it."""
        ended = self.made(path, body)
        assert ended["state"] == "succeeded", ended
        file = self.folder / name
        file.write_bytes(self.under_test.call("GET", ended["result"]["href"], "auditor").data)
        return file


def signed_plane(folder: Path) -> SignedPlane:
    key = LogKey.parse(new_log_key())
    under_test = make_plane(sqlite_url(folder), log=LogSettings(key=key, witnesses=()))
    sequencer = Sequencer(
        store=under_test.store,
        leadership=leadership(under_test.store._engine, under_test.clock),
        key=key,
        clock=under_test.clock,
        new_id=new_ulid,
        pseudonym_key=b"p" * 32,
    )
    return SignedPlane(under_test, sequencer, key, folder)
