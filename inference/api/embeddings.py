# SPDX-License-Identifier: Apache-2.0
"""`/v1/embeddings`: texts in, vectors out, in OpenAI's shape."""

import asyncio
import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference.answer import EngineBusy, EngineDown, GenerationFailed
from inference.api.embedding_request import EmbeddingRequest, require_dimensions
from inference.api.errors import INTERNAL, STOPPING, RequestRefused, invalid, overloaded
from inference.embeddings.engine import EmbeddingEngine, Tokens, Vector
from inference.prompt import PromptEncoder

# All texts of a request together: some seconds of one CPU core for a small encoder.
MOST_TOKENS: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedEncoder:
    """One encoder, under each of its names."""

    names: tuple[str, ...]
    prompts: PromptEncoder
    context_tokens: int
    dimensions: int
    digest: str
    queue_size: int
    engine: EmbeddingEngine
    count: Callable[[int], None]  # of the tokens that were embedded


async def answer_embedding(request: Request, asked: EmbeddingRequest, served: ServedEncoder) -> Response:
    require_dimensions(asked.dimensions, served.dimensions)
    # Tokenizing and writing thousands of texts takes long enough that other clients would notice it on the loop.
    texts = await asyncio.to_thread(_tokens, asked, served)
    vectors = await _embed(request, texts, served.engine)
    count = sum(len(text) for text in texts)
    served.count(count)
    return await asyncio.to_thread(_written, asked, vectors, count)


def _tokens(asked: EmbeddingRequest, served: ServedEncoder) -> list[Tokens]:
    texts = []
    total = 0
    for number, text in enumerate(asked.texts):
        tokens = tuple(served.prompts.encode_bare(text))
        if len(tokens) > served.context_tokens:
            raise invalid(
                "input",
                f"Text {number} has {len(tokens)} tokens; the model takes {served.context_tokens}.",
                code="context_length_exceeded",
            )
        if not tokens:
            raise invalid("input", f"Text {number} holds no token.")
        total += len(tokens)
        if total > MOST_TOKENS:
            raise invalid("input", f"All texts together must have at most {MOST_TOKENS} tokens.")
        texts.append(tokens)
    return texts


async def _embed(request: Request, texts: Sequence[Tokens], engine: EmbeddingEngine) -> list[Vector]:
    embedding = asyncio.create_task(engine.embed(texts))
    watch = asyncio.create_task(_cancel_when_gone(request, embedding))
    try:
        return await embedding
    except EngineDown:
        raise RequestRefused(STOPPING) from None
    except EngineBusy as busy:
        raise RequestRefused(overloaded(busy.retry_after_s)) from None
    except GenerationFailed:
        raise RequestRefused(INTERNAL) from None
    except asyncio.CancelledError:
        if watch.done():
            raise RequestRefused(STOPPING) from None  # nobody reads it
        raise
    finally:
        watch.cancel()
        embedding.cancel()


async def _cancel_when_gone(request: Request, embedding: "asyncio.Task[list[Vector]]") -> None:
    # The body was read to its end, so the next message can only be that the client has left.
    while (await request.receive())["type"] != "http.disconnect":
        pass
    embedding.cancel()


def _written(asked: EmbeddingRequest, vectors: Sequence[Vector], tokens: int) -> Response:
    entries = [
        {"object": "embedding", "index": number, "embedding": _packed(vector) if asked.base64 else vector}
        for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "data": entries, "model": asked.model, "usage": usage})


def _packed(vector: Vector) -> str:
    """Float32, little-endian, in base64: what the openai package asks for unless told otherwise."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
