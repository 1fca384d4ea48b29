# SPDX-License-Identifier: Apache-2.0
"""How near generation comes to what the memory allows: our engine and transformers' `generate()`, at three batch sizes.

    python -m benchmarks.inference [--shape NAME] [--batches 1,32,256] [--out FILE]

To generate a token every weight is read once, and the keys and values of every token before it. The time that memory
needs for that at least, over the time that a step took, is the percentage: 100 % is the roofline. The memory's speed is
measured in the same run, by copying an array. Weights are random, so that nothing has to be fetched; greedy.

A step's time is the difference between a run of N tokens and one of a single token, over N - 1, so that reading the
prompts is in neither. On a GPU the shape is Llama 3's of 8 billion parameters in bfloat16; on a CPU a small one in
float32, as the server uses it, larger than the caches and small enough that the run takes two minutes. There times are
processor times of one thread: whatever else runs on the machine would be in any other.
"""

import argparse
import asyncio
import gc
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from benchmarks.machine import copy_bandwidth, hardware, now, wait
from inference.batching.opening import open_engine
from inference.job import Job
from inference.loading import LoadedModel


@dataclass(frozen=True)
class Shape:
    """A Llama, and how much of it is generated."""

    hidden: int
    feed: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    prompt_tokens: int
    tokens: int

    def config(self) -> LlamaConfig:
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.feed,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            max_position_embeddings=2048,
            rope_theta=500_000.0,
            tie_word_embeddings=False,
            bos_token_id=0,
            eos_token_id=None,
            pad_token_id=0,
        )


SHAPES = {
    "llama-3-8b": Shape(4096, 14336, 32, 32, 8, 128_256, prompt_tokens=128, tokens=129),
    "small": Shape(768, 2048, 6, 12, 4, 8192, prompt_tokens=16, tokens=17),
}

# The engine's cache is given out in pages of at most so many tokens.
PAGE = 256


@dataclass(frozen=True)
class Row:
    engine: str
    batch: int
    step_ms: float
    tokens_per_s: float
    roofline_ms: float
    percent_of_roofline: float


class _NoText:
    """Stands for a tokenizer: what random weights say is not worth reading."""

    def decode(self, tokens: list[int], **_: object) -> str:
        return "x" * len(tokens)


def random_model(shape: Shape, device: str) -> LoadedModel:
    torch.manual_seed(20261122)
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    with torch.device(device):
        model: Any = LlamaForCausalLM(shape.config())
    torch.set_default_dtype(torch.float32)
    model.eval().requires_grad_(requires_grad=False)
    model.generation_config = GenerationConfig(eos_token_id=None, pad_token_id=0)
    tokenizer: Any = _NoText()
    prompts: Any = None
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        prompts=prompts,
        end_tokens=frozenset(),
        context_tokens=2048,
        digest="random",
        parameter_count=sum(each.numel() for each in model.parameters()),
    )


def step_bytes(loaded: LoadedModel, shape: Shape, batch: int) -> float:
    """Return what one step reads: the weights but the table of embeddings, and the cache in the middle of a run."""
    size = loaded.model.dtype.itemsize
    weights = loaded.parameter_count - shape.vocabulary * shape.hidden
    cached = batch * cache_bytes(loaded, shape) * (shape.prompt_tokens + shape.tokens / 2)
    return float(size * weights + cached)


def cache_bytes(loaded: LoadedModel, shape: Shape) -> int:
    """Return what one token takes in the cache: a key and a value for each layer and key head."""
    size: int = loaded.model.dtype.itemsize
    return 2 * shape.layers * shape.key_heads * (shape.hidden // shape.heads) * size


def prompts_of(shape: Shape, batch: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(7)
    return torch.randint(1, shape.vocabulary, (batch, shape.prompt_tokens), generator=numbers)


def by_generate(loaded: LoadedModel, prompts: torch.Tensor, tokens: int) -> float:
    device = loaded.model.device.type
    given = prompts.to(device)
    config = GenerationConfig(
        max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    # The engine, idle now, has given the model an attention that only it can use.
    engine_s = loaded.model.config._attn_implementation  # noqa: SLF001 - as transformers reads it
    loaded.model.set_attn_implementation("sdpa")
    begun = now(device)
    with torch.inference_mode():
        loaded.model.generate(given, attention_mask=torch.ones_like(given), generation_config=config)
    wait(device)
    took = now(device) - begun
    loaded.model.set_attn_implementation(engine_s)
    return took


async def by_engine(engine: Any, device: str, prompts: torch.Tensor, tokens: int) -> float:
    jobs = [Job(prompt=tuple(row), max_tokens=tokens, temperature=0.0) for row in prompts.tolist()]
    begun = now(device)
    answers = [engine.submit(job) for job in jobs]
    for answer in answers:
        answer.wait_for_the_end()

    async def whole(answer: Any) -> None:
        async for _ in answer.pieces():
            pass

    await asyncio.gather(*(whole(answer) for answer in answers))
    return now(device) - begun


def measured(loaded: LoadedModel, shape: Shape, batch: int, bandwidth: float, rounds: int) -> list[Row]:
    """Both engines, in turns: whatever else this machine does meets both alike, and the least time of each counts."""
    prompts = prompts_of(shape, batch)
    device: str = loaded.model.device.type
    pages = -(-(shape.prompt_tokens + shape.tokens) // PAGE) * PAGE
    engine = open_engine(
        loaded,
        queue_size=2 * batch,
        cache_mib=1 + batch * pages * cache_bytes(loaded, shape) // 2**20,
        most_running=batch,
    )
    engine.start()
    loop = asyncio.new_event_loop()
    ways = {
        "generate()": lambda tokens: by_generate(loaded, prompts, tokens),
        "Gatehouse": lambda tokens: loop.run_until_complete(by_engine(engine, device, prompts, tokens)),
    }
    took: dict[tuple[str, int], float] = {}
    try:
        for way in ways.values():
            way(2)  # kernels are chosen, graphs recorded and memory is taken before anything is measured
        for _ in range(rounds):
            for tokens in (shape.tokens, 1):
                for name, way in ways.items():
                    took[name, tokens] = min(took.get((name, tokens), float("inf")), way(tokens))
    finally:
        engine.stop(timeout_s=10)
        loop.close()
        gc.collect()
    roofline = step_bytes(loaded, shape, batch) / bandwidth
    steps = {name: (took[name, shape.tokens] - took[name, 1]) / (shape.tokens - 1) for name in ways}
    return [
        Row(name, batch, 1e3 * step, batch / step, 1e3 * roofline, 100 * roofline / step)
        for name, step in steps.items()
    ]


def main() -> None:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description="Generation against the memory's roofline.")
    parser.add_argument("--shape", choices=SHAPES, default="llama-3-8b" if on_gpu else "small")
    parser.add_argument("--batches", default="1,32,256", type=lambda text: [int(each) for each in text.split(",")])
    parser.add_argument("--rounds", type=int, default=3 if on_gpu else 2)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--out", type=Path, help="write the figures here too, as JSON")
    given = parser.parse_args()
    device = "cuda" if on_gpu else "cpu"
    # One thread: with several, whatever else runs on a core makes the others wait for it at every layer.
    torch.set_num_threads(given.threads)
    shape = SHAPES[given.shape]
    bandwidth = copy_bandwidth(device)
    loaded = random_model(shape, device)
    rows: list[Row] = []
    for batch in given.batches:
        rows += measured(loaded, shape, batch, bandwidth, given.rounds)
    figures = {
        "hardware": hardware(device),
        "shape": {"name": given.shape, "parameters": loaded.parameter_count, **asdict(shape)},
        "dtype": str(loaded.model.dtype),
        "copy_bytes_per_s": round(bandwidth),
        "rows": [asdict(row) for row in rows],
    }
    print(json.dumps({name: figures[name] for name in ("hardware", "shape", "dtype")}, indent=1))
    print(f"\nmemory, by a copy: {bandwidth / 1e9:.1f} GB/s\n")
    print("| batch | engine | ms a step | tokens/s | roofline, ms a step | of the roofline |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row.batch} | {row.engine} | {row.step_ms:.2f} | {row.tokens_per_s:,.0f} | {row.roofline_ms:.2f} "
            f"| {row.percent_of_roofline:.0f} % |"
        )
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
