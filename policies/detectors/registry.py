# SPDX-License-Identifier: Apache-2.0
"""Every detector there is. Adding one is one line here."""

from typing import Final

from policies.detectors.aws_access_key import AwsAccessKey
from policies.detectors.detector import Detector
from policies.detectors.email import EmailAddress
from policies.detectors.payment_card import PaymentCard
from policies.detectors.private_key_header import PrivateKeyHeader

# Order is precedence for overlapping findings: each detector sees the text that those before it have redacted.
DETECTORS: Final[tuple[Detector, ...]] = (PrivateKeyHeader(), PaymentCard(), AwsAccessKey(), EmailAddress())

DETECTOR_NAMES: Final = tuple(detector.name for detector in DETECTORS)
