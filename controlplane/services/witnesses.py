# SPDX-License-Identifier: Apache-2.0
"""Ask witnesses to cosign what the sequencer signed (C2SP tlog-witness).

Theory: without a party outside the operator's control a log proves nothing against its operator. A witness signs a
checkpoint where it is consistent with the last one that it saw, so that whoever trusts the witness need not trust us.

Rules: nobody waits for a witness. One that is down costs a line in the log of the process and nothing else; the
checkpoint is served with the signatures that it has.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import structlog
from cryptography.exceptions import InvalidSignature

from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.notes import NoteMalformed, parse_note, parse_signature_lines
from controlplane.audit.proof_texts import AddCheckpoint
from controlplane.audit.proofs import consistency_proof
from controlplane.audit.tiles import TileUnreadable
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.errors import StoreUnavailable
from controlplane.services.log_state import StoredTiles
from controlplane.services.ports import Store

ASK_EVERY_S: Final = 2.0
# A log to which nothing is added is cosigned again after this long.
_RENEW_AFTER: Final = timedelta(seconds=60)

_log = structlog.get_logger("gatehouse.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who is asked: `url` is the base of the witness's API, `key` the one that it cosigns with."""

    url: str
    key: VerifierKey


class WitnessUnusable(Exception):
    """The witness did not answer, or not as a witness does. The text has nothing of its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAnswer:
    """Signature lines where it cosigned; else the size that it saw last."""

    lines: str = ""
    knows_size: int | None = None


class AskWitness(Protocol):
    def __call__(self, witness: Witness, body: bytes) -> WitnessAnswer:
        """Send `body` to add-checkpoint. Raises WitnessUnusable."""


@dataclass(slots=True)
class _Seen:
    size: int = 0
    asked: SignedCheckpoint | None = None


class Witnessing:
    """Keeps every witness up to date, on a thread of its own."""

    def __init__(self, *, store: Store, witnesses: tuple[Witness, ...], ask: AskWitness) -> None:
        self._store = store
        self._witnesses = witnesses
        self._ask = ask
        self._seen: dict[tuple[str, str], _Seen] = {}

    def run(self, stop: threading.Event, leads: Callable[[], bool]) -> None:
        """Ask until `stop` is set, while this process `leads`."""
        while not stop.wait(ASK_EVERY_S):
            if leads():
                self.step()

    def step(self) -> None:
        """Ask each witness to cosign each log's last checkpoint, where it has not."""
        try:
            with self._store.read() as session:
                signed = [session.checkpoints.latest(tenant) for tenant in session.checkpoints.tenants()]
            for checkpoint in filter(None, signed):
                for witness in self._witnesses:
                    self._bring_up_to_date(witness, checkpoint)
        except StoreUnavailable as exc:
            _log.warning("witnessing_waits", problem=str(exc))

    def _bring_up_to_date(self, witness: Witness, checkpoint: SignedCheckpoint) -> None:
        seen = self._seen.setdefault((witness.url, checkpoint.tenant), _Seen())
        before = seen.asked
        if (
            before is not None
            and before.size == checkpoint.size
            and checkpoint.signed_at - before.signed_at < _RENEW_AFTER
        ):
            return
        try:
            lines = self._cosigned(witness, checkpoint, seen)
        except WitnessUnusable as exc:
            _log.warning("witness_failed", witness=witness.key.name, tenant=checkpoint.tenant, problem=str(exc))
            return
        seen.size, seen.asked = checkpoint.size, checkpoint
        self._keep(witness, checkpoint, lines)

    def _cosigned(self, witness: Witness, checkpoint: SignedCheckpoint, seen: _Seen) -> str:
        answer = self._ask(witness, self._body(checkpoint, old_size=seen.size))
        if answer.knows_size is not None:
            # It saw another size last: after a restart of ours, or because a second log server asks it too.
            if answer.knows_size > checkpoint.size:
                raise WitnessUnusable(f"it saw {answer.knows_size} entries, more than there are ({checkpoint.size})")
            answer = self._ask(witness, self._body(checkpoint, old_size=answer.knows_size))
        if answer.knows_size is not None:
            raise WitnessUnusable("it names another size with each answer")
        return _checked(witness, checkpoint, answer.lines)

    def _body(self, checkpoint: SignedCheckpoint, *, old_size: int) -> bytes:
        with self._store.read() as session:
            tiles = StoredTiles(session.log, checkpoint.tenant)
            try:
                proof = consistency_proof(tiles, first=old_size, second=checkpoint.size)
            except TileUnreadable as exc:
                raise WitnessUnusable("the tiles that prove consistency cannot be read") from exc
        return AddCheckpoint(old_size=old_size, proof=proof, checkpoint=checkpoint.note.encode()).to_text()

    def _keep(self, witness: Witness, checkpoint: SignedCheckpoint, lines: str) -> None:
        with self._store.write() as session:
            kept = session.checkpoints.covering(checkpoint.tenant, checkpoint.size)
            if kept is not None and kept.size == checkpoint.size:
                others = [
                    line
                    for line in kept.cosignatures.splitlines(keepends=True)
                    if not line.startswith(f"— {witness.key.name} ")
                ]
                session.checkpoints.cosign(checkpoint.tenant, size=kept.size, lines="".join([*others, lines]))


def _checked(witness: Witness, checkpoint: SignedCheckpoint, lines: str) -> str:
    """Return the lines of `lines` that the witness's key signed: nothing else that it sends is kept or served."""
    text = parse_note(checkpoint.note.encode()).text
    good: list[str] = []
    try:
        for line in parse_signature_lines(lines):
            if (line.name, line.key_id) == (witness.key.name, witness.key.id):
                witness.key.verify(text, line.signature)
                good.append(str(line))
    except NoteMalformed as exc:
        raise WitnessUnusable("its answer is not signature lines") from exc
    except InvalidSignature as exc:
        raise WitnessUnusable("its signature does not hold") from exc
    if not good:
        raise WitnessUnusable("its answer has no signature of its key")
    return good[-1]
