# SPDX-License-Identifier: Apache-2.0
"""What the node and its workers tell each other, over one socket pair a worker: JSON objects, one a line.

The node fetches and verifies once; workers load from its files. A worker acknowledges only what it enforces.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateBundle:
    """Node to worker: load the verified bundle at `path` and enforce it. No `guard_socket` means embedded Rego.

    All that it looks for is compiled, and kept in the folder `patterns`. `etag` names the bytes of the bundle: what a
    worker has loaded already of that name, as its candidate, it does not load again.
    """

    type: ClassVar[str] = "activate-bundle"
    serial: int
    path: str
    guard_socket: str
    patterns: str
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryCandidate:
    """Node to worker: load that bundle too, and try it beside the one in force as the environment document says.

    The same `serial` and `etag` once more: as it is loaded, with these terms from now on.
    """

    type: ClassVar[str] = "try-candidate"
    serial: int
    path: str
    guard_socket: str
    patterns: str
    etag: str
    mode: str
    subjects_percent: int | None
    workers_percent: int | None
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCandidate:
    """Node to worker: try that candidate no more."""

    type: ClassVar[str] = "end-candidate"
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCredentials:
    """Node to worker: authenticate by the verified credentials document at `path` from now on."""

    type: ClassVar[str] = "use-credentials"
    epoch: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRevocations:
    """Node to worker: refuse what the verified revocations document at `path` names, whatever else lets it in."""

    type: ClassVar[str] = "use-revocations"
    epoch: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseIssuerKeys:
    """Node to worker: verify tokens by the keys in the file at `path` from now on. `generation` counts the files."""

    type: ClassVar[str] = "use-issuer-keys"
    generation: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Node to worker: take connections, now that you did what you were told before."""

    type: ClassVar[str] = "serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustUntil:
    """Node to worker: decide by what is in force until the machine's monotonic clock says this, then refuse."""

    type: ClassVar[str] = "trust-until"
    monotonic_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Node to worker: take no new request, finish the open ones within `deadline_s`, then exit."""

    type: ClassVar[str] = "drain"
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Node to worker: say what you counted, at once. That you do is also the sign that you live."""

    type: ClassVar[str] = "measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Worker to node: every series as it stands (`proxy_addons.core.tally`), and the number of its last record.

    `source` is `{"id", "boot_id", "last_seq"}`; a worker of the version before says none.
    """

    type: ClassVar[str] = "measured"
    series: Any
    source: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Worker to node: the listener is open."""

    type: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcing:
    """Worker to node: every request from now on is decided by `serial` at `revision`; or why not, in `error`."""

    type: ClassVar[str] = "enforcing"
    serial: int
    revision: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """Worker to node: candidate `serial` is tried from now on, None: none is; or why `serial` is not, in `error`."""

    type: ClassVar[str] = "trying"
    serial: int | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticating:
    """Worker to node: every request from now on is authenticated at `epoch`."""

    type: ClassVar[str] = "authenticating"
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoking:
    """Worker to node: every request from now on is refused where the revocations of `epoch` name its credential."""

    type: ClassVar[str] = "revoking"
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Worker to node: the last request decided by `serial` has ended."""

    type: ClassVar[str] = "released"
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowsCertificate:
    """Worker to node: until when the data port's certificate is valid, and why newer files are not in use."""

    type: ClassVar[str] = "shows-certificate"
    expires_at: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissesKey:
    """Worker to node: a token of `issuer` names a key that is not among those in use."""

    type: ClassVar[str] = "misses-key"
    issuer: str


OfPolicy: TypeAlias = ActivateBundle | TryCandidate
Order: TypeAlias = OfPolicy | EndCandidate | UseCredentials | UseIssuerKeys | Serve
ToWorker: TypeAlias = Order | UseRevocations | TrustUntil | Drain | Measure
OfState: TypeAlias = Ready | Enforcing | Trying | Authenticating | Revoking | Released | ShowsCertificate
FromWorker: TypeAlias = OfState | MissesKey | Measured
Message: TypeAlias = ToWorker | FromWorker

_TYPES: Final = {
    message.type: message
    for message in (
        ActivateBundle,
        TryCandidate,
        EndCandidate,
        UseCredentials,
        UseRevocations,
        TrustUntil,
        UseIssuerKeys,
        Serve,
        Drain,
        Measure,
        Measured,
        Ready,
        Enforcing,
        Trying,
        Authenticating,
        Revoking,
        Released,
        ShowsCertificate,
        MissesKey,
    )
}


def encode(message: Message) -> bytes:
    """Return `message` as one line with its newline."""
    return json.dumps({"type": message.type, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line. Raises ValueError for anything else."""
    raw: dict[str, Any] = json.loads(line)
    try:
        return _TYPES[raw.pop("type")](**raw)
    except (KeyError, TypeError) as exc:
        msg = "not a message of this protocol"
        raise ValueError(msg) from exc
