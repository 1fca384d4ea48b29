# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.batching [--parrot] [--small]`: continuous batching on this CPU against `generate()`.

Both models answer the same prompts greedily: one after the other with transformers' `generate()`, and through the
server's engine, so many at a time. The two take turns within one run, and processor time is counted as well, so that
the ratios hold on a busy machine. The parrot is the demonstration model; the small Llama's weights are random.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from inference.batching.opening import open_engine
from inference.engine import Engine
from inference.job import Finished, Job
from inference.loading import LoadedModel, load_model
from inference.parrot.directory import build_parrot

CONCURRENCY: Final = (1, 8, 32)
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Tokens a second, by the clock and by processor time."""

    wall: float
    cpu: float


def sequential(loaded: LoadedModel, prompt: tuple[int, ...], *, tokens: int, count: int) -> Measured:
    ids = torch.tensor([prompt])
    wall, cpu, made = time.perf_counter(), time.process_time(), 0
    with torch.inference_mode():
        for _ in range(count):
            answer = loaded.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens
            )
            made += answer.shape[1] - len(prompt)
    return Measured(made / (time.perf_counter() - wall), made / (time.process_time() - cpu))


async def together(engine: Engine, job: Job, *, count: int) -> Measured:
    async def one() -> int:
        answer = engine.submit(job)
        answer.wait_for_the_end()
        async for item in answer.pieces():
            if isinstance(item, Finished):
                return item.completion_tokens
        raise AssertionError("an answer without an end")

    wall, cpu = time.perf_counter(), time.process_time()
    made = sum(await asyncio.gather(*(one() for _ in range(count))))
    return Measured(made / (time.perf_counter() - wall), made / (time.process_time() - cpu))


def measure(name: str, loaded: LoadedModel, reference: LoadedModel, prompt: tuple[int, ...], *, tokens: int) -> None:
    """Prints a table. The reference is a second copy: an open batch changes the attention of its model."""
    job = Job(prompt=prompt, max_tokens=tokens, temperature=0.0)
    engine = open_engine(loaded, queue_size=64, most_running=max(CONCURRENCY), cache_mib=1024)
    engine.start()
    try:
        sequential(reference, prompt, tokens=tokens, count=1)
        asyncio.run(together(engine, job, count=1))
        rows: dict[int, list[tuple[Measured, Measured]]] = {count: [] for count in CONCURRENCY}
        for _ in range(ROUNDS):
            for count in CONCURRENCY:
                alone = sequential(reference, prompt, tokens=tokens, count=2)
                rows[count].append((alone, asyncio.run(together(engine, job, count=count))))
    finally:
        engine.stop(timeout_s=10)
    print(f"{name}: {loaded.parameter_count / 1e6:.1f} M weights, prompt {len(prompt)}, answer up to {tokens} tokens")
    for count, pairs in rows.items():
        ours = statistics.median(pair[1].wall for pair in pairs)
        wall = statistics.median(pair[1].wall / pair[0].wall for pair in pairs)
        cpu = statistics.median(pair[1].cpu / pair[0].cpu for pair in pairs)
        print(f"  {count:3d} at once: {ours:7.0f} tokens/s, {wall:5.2f} x generate() by the clock, {cpu:5.2f} x by CPU")


def small_llama(parrot: LoadedModel) -> LoadedModel:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=640,
        intermediate_size=1728,
        num_hidden_layers=8,
        num_attention_heads=10,
        num_key_value_heads=5,
        max_position_embeddings=2048,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return replace(parrot, model=model, parameter_count=weights, end_tokens=frozenset())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parrot", action="store_true", help="the demonstration model only")
    parser.add_argument("--small", action="store_true", help="the small Llama only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build_parrot(Path(folder) / "parrot")
        parrots = [load_model(Path(folder) / "parrot") for _ in range(2)]
    if not asked.small:
        prompt = parrots[0].prompts.encode_chat([{"role": "user", "content": "the quick brown fox jumps " * 5}])
        measure("parrot", parrots[0], parrots[1], tuple(prompt), tokens=200)
    if not asked.parrot:
        torch.set_num_threads(2)
        prompt = [(7 * i) % 31_000 for i in range(128)]
        measure("small Llama", small_llama(parrots[0]), small_llama(parrots[1]), tuple(prompt), tokens=32)


if __name__ == "__main__":
    main()
