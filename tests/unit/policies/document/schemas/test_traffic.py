# SPDX-License-Identifier: Apache-2.0
from tests.unit.policies.document.schemas.agreement import specs_agree

TestAgreement = specs_agree("identity", "logging", "routes", "upstreams")
