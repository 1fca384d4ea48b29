# SPDX-License-Identifier: Apache-2.0
from inference.job import Job

JOB = Job(prompt=(1, 2), max_tokens=4, seed=-5)


def test_each_choice_of_a_seeded_job_has_a_seed_of_its_own_and_always_the_same():
    seeds = [JOB.choice(number).seed for number in range(16)]
    assert seeds[0] == -5
    assert len(set(seeds)) == 16
    assert seeds == [JOB.choice(number).seed for number in range(16)]
    assert all(0 <= seed < 2**63 for seed in seeds[1:])


def test_without_a_seed_there_is_nothing_to_make_one_of():
    assert Job(prompt=(1,), max_tokens=1).choice(3).seed is None
