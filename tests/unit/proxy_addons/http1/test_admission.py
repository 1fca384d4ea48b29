# SPDX-License-Identifier: Apache-2.0
from proxy_addons.http1.admission import Admission


def test_takes_as_many_as_it_may_and_again_what_was_given_back():
    admission = Admission(2)
    assert [admission.take() for _ in range(3)] == [True, True, False]
    admission.give_back()
    assert [admission.take() for _ in range(2)] == [True, False]
    assert admission.in_flight == 2
