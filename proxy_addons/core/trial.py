# SPDX-License-Identifier: Apache-2.0
"""A candidate beside the policy in force: what it is, and whose requests it is tried on."""

from dataclasses import dataclass
from typing import Self

from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.request import Subject
from proxy_addons.core.active import ActivePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`policy` under the terms of the environment document; `here` where this worker is one that they choose."""

    policy: ActivePolicy
    terms: Candidate
    here: bool

    @classmethod
    def of(cls, policy: ActivePolicy, terms: Candidate, *, worker: str) -> Self:
        """Return the trial at `worker`, which is called so in records."""
        return cls(policy=policy, terms=terms, here=terms.chooses_worker(policy.snapshot.tenant, worker))

    @property
    def decides(self) -> bool:
        """Whether it alone decides for whom it chooses. If not, it only says what it would have."""
        return self.terms.mode is CandidateMode.ENFORCE

    @property
    def warns(self) -> bool:
        return self.terms.mode is CandidateMode.WARN

    def chooses(self, subject: Subject) -> bool:
        return self.here and self.terms.chooses_subject(self.policy.snapshot.tenant, subject)
