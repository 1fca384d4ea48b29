# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from proxy_addons.http1.surroundings import Surroundings


def test_no_connection_can_change_what_the_others_share():
    shared = Surroundings(**dict.fromkeys(field.name for field in dataclasses.fields(Surroundings)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        shared.pool = object()
