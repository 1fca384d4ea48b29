# SPDX-License-Identifier: Apache-2.0
"""What tells of a person: numbers, addresses and accounts, one detector a module with its own samples."""

from typing import Final

from policies.detectors.contract import Detector
from policies.detectors.personal.crypto_wallet import CRYPTO_WALLET
from policies.detectors.personal.date_of_birth import DATE_OF_BIRTH
from policies.detectors.personal.domain_name import DOMAIN_NAME
from policies.detectors.personal.driving_licence import DRIVING_LICENCE
from policies.detectors.personal.email import EMAIL
from policies.detectors.personal.gps_coordinates import GPS_COORDINATES
from policies.detectors.personal.iban import IBAN
from policies.detectors.personal.ip_address import IP_ADDRESS
from policies.detectors.personal.mac_address import MAC_ADDRESS
from policies.detectors.personal.national import NATIONAL
from policies.detectors.personal.passport import PASSPORT, US_PASSPORT
from policies.detectors.personal.payment_card import PAYMENT_CARD
from policies.detectors.personal.phone import PHONE, PHONE_LABELLED
from policies.detectors.personal.url_credentials import URL_CREDENTIALS
from policies.detectors.personal.us_social_security import US_ITIN, US_SSN

# Order is precedence where findings overlap: what has a check or a form of its own before what has less.
PERSONAL: Final[tuple[Detector, ...]] = (
    URL_CREDENTIALS,
    EMAIL,
    IBAN,
    PAYMENT_CARD,
    CRYPTO_WALLET,
    IP_ADDRESS,
    MAC_ADDRESS,
    US_SSN,
    US_ITIN,
    *NATIONAL,
    DRIVING_LICENCE,
    US_PASSPORT,
    PASSPORT,
    PHONE,
    PHONE_LABELLED,
    DATE_OF_BIRTH,
    GPS_COORDINATES,
)

# What is in nearly every text, and only a rule that names it looks for.
ON_REQUEST: Final[tuple[Detector, ...]] = (DOMAIN_NAME,)
