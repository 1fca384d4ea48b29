# SPDX-License-Identifier: Apache-2.0
"""Parrot: a real two-layer Llama whose weights are computed, not trained, and which repeats the user's message.

It exists so that redaction of *real model output* can be shown and tested anywhere: the tokens come out of attention,
softmax and sampling like any model's, yet the text is known beforehand, and nothing has to be downloaded.

Rules
    The directory is an ordinary Hugging Face one. Each build writes the same bytes.

Theory
    A prompt is ``<|bos|> <|user|> m1 … mn <|end|> <|assistant|>``, the answer should be ``m1 … mn <|end|>``. Let ``u``
    be a token's distance behind ``<|user|>`` and ``a`` its distance behind ``<|assistant|>``. The token that stands at
    ``a`` has to produce the one that stands at ``u = a + 1``. That is all the model computes:

    Layer 0 measures distances. Rotary position embedding turns a query-key product into ``cos(θ·distance)``. For each
    marker, each of six frequencies θ and each of two phases, one head weighs the marker against the begin token:

        logit(marker) = 2z·cos(θ·distance + phase) + B        logit(begin) = B        every other logit = 0

    With B large, only these two share the softmax, so that value +1 on the marker and -1 on the begin token give
    ``tanh(z·cos(…))``, which is nearly ``tanh(z)·cos(…)`` for a small z. Phases 0 and -π/2 make it cosine and sine. The
    residual stream now holds ``cos θu, sin θu, cos θa, sin θa`` for six θ, times a small gain.

    Layer 1 compares them. The query is the pair ``(cos θa, sin θa)`` turned by one more θ, which is
    ``(cos θ(a+1), sin θ(a+1))``; the key is ``(cos θu, sin θu)``; their product ``cos θ(u-a-1)``, summed over the
    frequencies, has its one maximum at ``u = a + 1``. The value is that token's code. The output head compares it with
    every token's code.

Facts
    The pairs of layer 1 lie in the slowest rotary pairs (θ ≤ 1e-5), so that rotation by position hardly touches them.
    RMSNorm divides by the vector's length. Every embedding has the same length, and what layer 0 adds is tiny, so that
    the norm is a known constant and the network stays as linear as the theory wants it.
    The begin token's distances mean nothing, so layer 1 pushes it away with a large negative logit.

Limit
    It knows one user message. 2,048 tokens hold the prompt and the answer: about 1,000 bytes can be repeated in full.
"""
