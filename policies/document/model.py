# SPDX-License-Identifier: Apache-2.0
"""A policy document as it was written, every value checked for its form, with the place of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, Mode
from policies.contracts.errors import Position
from policies.contracts.identity import CertificateRule, Issuer, OnRevocation
from policies.contracts.prompts import ApprovedPrompt, PromptRule
from policies.contracts.recording import ContentMode, RecordsMode
from policies.contracts.request import RequestFacts, Subject
from policies.contracts.screening import ClassifierRule, ScreenAsk, ScreeningRule
from policies.contracts.snapshot import (
    CustomDetector,
    Decoding,
    Direction,
    EmbeddingInputs,
    FieldClass,
    Grant,
    HoldBounds,
    LiteralList,
    LogProbabilities,
    Rate,
    RedactionRule,
    Route,
)
from policies.contracts.tools import AskedCall, OnRefusal, ToolRule
from policies.contracts.upstreams import UpstreamRule


@dataclass(frozen=True, slots=True)
class Places:
    """Where each value of a document stands, by JSON pointer, and where the text of a block scalar begins."""

    by_pointer: Mapping[str, Position]
    block_texts: Mapping[str, Position]

    def at(self, pointer: str) -> Position:
        """Return the place of the value at `pointer`, or of the nearest one around it."""
        while pointer and pointer not in self.by_pointer:
            pointer = pointer.rpartition("/")[0]
        return self.by_pointer[pointer]

    def within(self, pointer: str, *, row: int, column: int) -> Position:
        """Return the place in the file of a place in the text at `pointer`, as exactly as the text's form allows."""
        start = self.block_texts.get(pointer)
        if start is None:  # a quoted text, whose rows are not the file's
            return self.at(pointer)
        return Position(
            file=start.file,
            line=start.line + max(row, 1) - 1,
            column=start.column + max(column, 1) - 1,
            pointer=pointer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSpec:
    groups: Mapping[str, tuple[str, ...]]
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    reasons: Mapping[str, str]
    data: Mapping[str, JSON]
    module: str
    on_refusal: OnRefusal = OnRefusal.REMOVE


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesSpec:
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSpec:
    subjects: tuple[str, ...]
    max_body_bytes: int | None
    rate: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Texts that a policy's own detector must find something in, and texts that it must leave alone."""

    finds: tuple[str, ...]
    ignores: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSpec:
    """`samples` are those of `detectors`, in their order."""

    rules: tuple[RedactionRule, ...] = ()
    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    detectors: tuple[CustomDetector, ...] = ()
    samples: tuple[Samples, ...] = ()
    literals: tuple[LiteralList, ...] = ()
    hold: HoldBounds = field(default_factory=HoldBounds)
    decoding: Decoding = field(default_factory=Decoding)
    embeddings: EmbeddingInputs = EmbeddingInputs.BLOCK
    log_probabilities: LogProbabilities = LogProbabilities.DROP


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySpec:
    issuers: tuple[Issuer, ...]
    certificates: tuple[CertificateRule, ...]
    on_revocation: OnRevocation = OnRevocation.FINISH


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsSpec:
    on_refusal: OnRefusal
    rules: tuple[ToolRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSpec:
    """None: nothing is said of it."""

    records: RecordsMode | None = None
    prompts: ContentMode | None = None
    answers: ContentMode | None = None
    max_bytes: int | None = None
    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsSpec:
    """A document of nothing but tests; `policy` is the id of the policy whose names they use."""

    __test__ = False  # not for pytest, whatever its name

    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsSpec:
    prompts: tuple[ApprovedPrompt, ...]
    rules: tuple[PromptRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningSpec:
    """`ask` is there where `classifier` is."""

    rules: tuple[ScreeningRule, ...]
    classifier: tuple[ClassifierRule, ...] = ()
    ask: ScreenAsk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamsSpec:
    upstreams: tuple[UpstreamRule, ...]


Spec: TypeAlias = (
    AccessSpec
    | GuardSpec
    | RoutesSpec
    | LimitsSpec
    | RedactionSpec
    | IdentitySpec
    | ToolsSpec
    | LoggingSpec
    | TestsSpec
    | PromptsSpec
    | ScreeningSpec
    | UpstreamsSpec
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOfTest:
    """What a test asks. `model` is None for operations that name none."""

    subject: Subject
    operation: str
    model: str | None
    facts: RequestFacts
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a test wants; None where it does not care.

    `obligations` are redaction policies. `calls` has `allow`, or the reason of its refusal, for each tool call.
    """

    effect: Effect | None = None
    reasons: tuple[str, ...] | None = None
    redacted: str | None = None
    blocked: bool | None = None
    findings: tuple[str, ...] | None = None
    obligations: tuple[str, ...] | None = None
    calls: tuple[str, ...] | None = None
    screened: bool | None = None

    @property
    def of_decision(self) -> bool:
        """Whether the test looks at what was decided on the request."""
        return self.effect is not None or self.reasons is not None or self.obligations is not None

    @property
    def of_text(self) -> bool:
        """Whether the test looks at what becomes of its text."""
        return self.redacted is not None or self.blocked is not None or self.findings is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOfTest:
    """A text that redaction is tried on, where it stands, and what the classifier is taken to say of it."""

    text: str
    direction: Direction
    field: FieldClass
    score_bp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    name: str
    request: RequestOfTest
    text: TextOfTest | None
    expect: Expectation
    canary: bool = False  # each enforcement point repeats it before it puts the release to work
    calls: tuple[AskedCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """One policy. `kind` is one of `policies.document.kinds.KINDS` and says what `spec` is."""

    kind: str
    id: str
    version: str
    mode: Mode
    description: str
    spec: Spec
    tests: tuple[PolicyTest, ...]
    places: Places
