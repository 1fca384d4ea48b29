# SPDX-License-Identifier: Apache-2.0
from tests.unit.policies.document.schemas.agreement import refused_by_both
from tests.unit.policies.document.schemas.full_documents import full


def test_what_the_schema_refuses_in_tests_the_reader_refuses_too():
    assert refused_by_both(full("limits")) > 300
