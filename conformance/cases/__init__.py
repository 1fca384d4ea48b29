# SPDX-License-Identifier: Apache-2.0
"""The catalogue of cases by number. Every number from 1 to 70 is here, with rows or with the reason why it has none."""

from typing import Final

from conformance.case import Case
from conformance.cases.answers import ANSWER_CASES
from conformance.cases.bodies import BODY_CASES
from conformance.cases.content import CONTENT_CASES
from conformance.cases.credentials import CREDENTIAL_CASES
from conformance.cases.elsewhere import NOT_HERE_YET
from conformance.cases.framing import FRAMING_CASES
from conformance.cases.limits import LIMIT_CASES
from conformance.cases.log import LOG_CASES
from conformance.cases.making import MAKING_CASES
from conformance.cases.policy_code import CODE_CASES
from conformance.cases.routing import ROUTING_CASES
from conformance.cases.screening import SCREENING_CASES
from conformance.cases.secrets import SECRET_CASES

CASES: Final[tuple[Case, ...]] = tuple(
    sorted(
        (
            *FRAMING_CASES,
            *LIMIT_CASES,
            *ROUTING_CASES,
            *CREDENTIAL_CASES,
            *BODY_CASES,
            *CONTENT_CASES,
            *ANSWER_CASES,
            *SCREENING_CASES,
            *SECRET_CASES,
            *LOG_CASES,
            *MAKING_CASES,
            *CODE_CASES,
            *NOT_HERE_YET,
        ),
        key=lambda case: case.number,
    )
)
