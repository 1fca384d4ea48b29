# SPDX-License-Identifier: Apache-2.0
"""What tells of a person: numbers, addresses and accounts, one detector a module with its own samples."""

from typing import Final

from policies.detectors.contract import Detector
from policies.detectors.personal.email import EMAIL
from policies.detectors.personal.iban import IBAN
from policies.detectors.personal.national import NATIONAL
from policies.detectors.personal.payment_card import PAYMENT_CARD
from policies.detectors.personal.phone import PHONE
from policies.detectors.personal.us_social_security import US_ITIN, US_SSN

# Order is precedence where findings overlap: what has a check or a form of its own before what has less.
PERSONAL: Final[tuple[Detector, ...]] = (EMAIL, IBAN, PAYMENT_CARD, US_SSN, US_ITIN, *NATIONAL, PHONE)
