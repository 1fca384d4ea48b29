# SPDX-License-Identifier: Apache-2.0
"""What is known of transformers' continuous batching, and what is made of it."""

import time

import pytest
import torch

from inference.batching.batch import BatchDied
from inference.batching.limits import BatchLimits
from inference.batching.paged import PagedBatch
from inference.job import Job

SMALL = BatchLimits(page_tokens=16, pages=16, step_tokens=64, running=8)


def prompt_of(number, length):
    return tuple((31 * number + 7 * k) % 250 for k in range(length))


def greedy(loaded, prompt, count):
    """The tokens of `generate()`: the reference for everything here."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        made = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count)
    return made[0, len(prompt) :].tolist()


@pytest.fixture
def open_batch(tiny):
    opened = []

    def start(limits=SMALL):
        batch = PagedBatch(tiny.model, limits=limits, end_tokens=tiny.end_tokens)
        opened.append(batch)
        batch.start()
        return batch

    yield start
    for batch in opened:
        assert batch.close()


def read(batch, count):
    """The last progress of so many jobs that end."""
    ended = {}
    while len(ended) < count:
        ended |= {each.key: each for each in batch.arrived(timeout_s=5) if each.ended}
    return ended


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_jobs_that_join_and_leave_get_the_tokens_of_generate(tiny, tiny_reference, open_batch):
    batch = open_batch()
    jobs = {str(i): Job(prompt=prompt_of(i, 1 + 9 * i), max_tokens=10 + 3 * i, temperature=0.0) for i in range(10)}
    got = {}
    for key, job in jobs.items():
        batch.add(key, job, seed=0)
        got |= {each.key: list(each.tokens) for each in batch.arrived(timeout_s=5) if each.ended}
        if key == "4":
            batch.add("gone", Job(prompt=prompt_of(99, 20), max_tokens=50, temperature=0.0), seed=0)
        if key == "6":
            batch.cancel("gone")
    got |= {key: list(each.tokens) for key, each in read(batch, len(jobs) - len(got)).items()}
    got.pop("gone", None)
    assert got == {key: greedy(tiny_reference, job.prompt, job.max_tokens) for key, job in jobs.items()}


def test_jobs_that_a_full_cache_put_out_and_begun_again_get_them_too(tiny_reference, open_batch):
    # Eight jobs of up to 110 tokens, a cache of 256.
    batch = open_batch()
    jobs = {str(i): Job(prompt=prompt_of(i, 40), max_tokens=70, temperature=0.0) for i in range(8)}
    for key, job in jobs.items():
        batch.add(key, job, seed=0)
    want = {key: greedy(tiny_reference, job.prompt, job.max_tokens) for key, job in jobs.items()}
    assert {key: list(each.tokens) for key, each in read(batch, 8).items()} == want


def test_a_seed_gives_the_same_tokens_whatever_else_is_in_the_batch(open_batch):
    job = Job(prompt=prompt_of(1, 12), max_tokens=30, temperature=0.9, top_p=0.95)
    batch = open_batch()
    batch.add("alone", job, seed=5)
    alone = read(batch, 1)["alone"].tokens
    for other in range(6):
        batch.add(str(other), Job(prompt=prompt_of(other, 20), max_tokens=60), seed=other)
    batch.add("beside", job, seed=5)
    batch.add("another", job, seed=6)
    together = read(batch, 8)
    assert alone == together["beside"].tokens
    assert alone != together["another"].tokens


def test_a_job_that_the_cache_cannot_hold_never_reaches_the_thread(open_batch):
    batch = open_batch()
    assert batch.cache_tokens == 256
    with pytest.raises(ValueError, match="longer than the cache"):
        batch.add("1", Job(prompt=prompt_of(1, 200), max_tokens=57), seed=0)
    batch.add("2", Job(prompt=prompt_of(1, 100), max_tokens=20, temperature=0.0), seed=0)
    assert not read(batch, 1)["2"].failed


def test_let_through_it_would_end_the_thread_for_good_and_that_is_noticed(open_batch, capfd):
    batch = open_batch()
    batch._manager.add_request(list(prompt_of(1, 400)), request_id="1", max_new_tokens=5, streaming=True)
    assert read(batch, 1)["1"].failed
    until(lambda: not batch.is_alive)
    with pytest.raises(BatchDied):
        batch.arrived(timeout_s=1)
    told = capfd.readouterr()
    assert "batch_died" in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_cancelling_frees_the_blocks_and_sends_nothing(open_batch):
    batch = open_batch()
    batch.add("1", Job(prompt=prompt_of(1, 50), max_tokens=70, temperature=0.0), seed=0)
    assert batch.arrived(timeout_s=5)
    assert batch.cache_usage > 0
    batch.cancel("1")
    until(lambda: batch.cache_usage == 0)
    assert not any(each.ended for each in batch.arrived(timeout_s=0.1))


def test_what_ended_leaves_nothing_in_the_cache(open_batch):
    batch = open_batch()
    batch.add("1", Job(prompt=prompt_of(1, 100), max_tokens=5, temperature=0.0), seed=0)
    read(batch, 1)
    until(lambda: batch.cache_usage == 0)


def test_those_put_out_go_on_when_those_that_stayed_were_cancelled(tiny_reference, open_batch):
    batch = open_batch()
    jobs = {str(i): Job(prompt=prompt_of(i, 40), max_tokens=88, temperature=0.0) for i in range(6)}
    for key, job in jobs.items():
        batch.add(key, job, seed=0)
    scheduler = batch._scheduler
    until(lambda: batch.arrived(timeout_s=0.01) is not None and scheduler.block_new_requests)
    stayed = list(scheduler.active_requests)
    for key in stayed:
        batch.cancel(key)
    left = sorted(set(jobs) - set(stayed))
    assert left
    got = read(batch, len(left))
    for key in left:
        assert greedy(tiny_reference, jobs[key].prompt, 88) == list(got[key].tokens)


def test_no_token_of_a_prompt_is_printed(open_batch, capfd):
    batch = open_batch()
    batch._manager.background_thread_status.request_stop(1, 0)
    batch._manager.add_request([101, 102, 103, 104], request_id="1")
    told = capfd.readouterr()
    assert "101" not in told.out + told.err


def test_waiting_wakes_at_once(open_batch):
    batch = open_batch()
    batch.wake()
    assert batch.arrived(timeout_s=30) == []
