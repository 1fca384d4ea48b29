# SPDX-License-Identifier: Apache-2.0
import pytest

from controlplane.services.errors import TooOften
from controlplane.services.lookups import Allowance
from controlplane.services.model import Principal, Role
from tests.records import NOON


def somebody(name):
    return Principal(tenant="default", id=name, name=name, role=Role.AUDITOR, created_at=NOON)


def test_an_allowance_is_of_one_principal_and_comes_back_with_time():
    now = [0.0]
    allowance = Allowance(most=2, timer=lambda: now[0])
    allowance.take(somebody("a"))
    now[0] = 30.0
    allowance.take(somebody("a"))
    allowance.take(somebody("b"))
    with pytest.raises(TooOften):
        allowance.take(somebody("a"))
    now[0] = 60.0
    allowance.take(somebody("a"))
    with pytest.raises(TooOften):
        allowance.take(somebody("a"))
