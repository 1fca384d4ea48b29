# SPDX-License-Identifier: Apache-2.0
"""Secrets: what gives access to something, each kind by its form, and what has none by the name before it.

SECRETS is in the order of precedence: what is sure of its form before what is told by context. All groups begin with
`secrets`; that word alone says every one of them.
"""

from typing import Final

from policies.detectors.contract import Detector
from policies.detectors.secrets.ai_providers import AI_PROVIDERS
from policies.detectors.secrets.assigned import ASSIGNED
from policies.detectors.secrets.chat import CHAT
from policies.detectors.secrets.cloud import CLOUD
from policies.detectors.secrets.connection_strings import CONNECTION_STRING
from policies.detectors.secrets.forges import FORGES
from policies.detectors.secrets.http_credentials import HTTP_CREDENTIALS
from policies.detectors.secrets.infrastructure import INFRASTRUCTURE
from policies.detectors.secrets.jwt import JWT
from policies.detectors.secrets.monitoring import MONITORING
from policies.detectors.secrets.package_registries import PACKAGE_REGISTRIES
from policies.detectors.secrets.passwords import PASSWORD
from policies.detectors.secrets.payment import PAYMENT
from policies.detectors.secrets.private_keys import PRIVATE_KEYS
from policies.detectors.secrets.services import SERVICES

SECRETS: Final[tuple[Detector, ...]] = (
    *PRIVATE_KEYS,
    *CLOUD,
    *FORGES,
    *AI_PROVIDERS,
    *PAYMENT,
    *CHAT,
    *PACKAGE_REGISTRIES,
    *MONITORING,
    *INFRASTRUCTURE,
    *SERVICES,
    JWT,
    CONNECTION_STRING,
    *HTTP_CREDENTIALS,
    PASSWORD,
    ASSIGNED,
)
