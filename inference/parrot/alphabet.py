# SPDX-License-Identifier: Apache-2.0
"""The parrot's tokenizer, one token a byte, and its chat template."""

from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from inference.parrot.geometry import MARKERS

# The last user message only: one message is what the parrot can find. Without one, the template fails.
CHAT_TEMPLATE: Final = (
    "{{ '<|bos|><|user|>' }}"
    "{{ (messages | selectattr('role', 'equalto', 'user') | list)[-1]['content'] }}"
    "{{ '<|end|>' }}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def byte_tokenizer() -> Tokenizer:
    """A tokenizer whose token n is the byte n. Bare text is framed like a message, so that it is repeated as well."""
    vocabulary = {character: byte for byte, character in enumerate(_byte_characters())}
    vocabulary |= {marker: 256 + i for i, marker in enumerate(MARKERS)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in MARKERS])
    begin, user, end, assistant = MARKERS
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} {user} $A {end} {assistant}",
        special_tokens=[(marker, vocabulary[marker]) for marker in MARKERS],
    )
    return tokenizer


def _byte_characters() -> list[str]:
    """The printable character that stands for each byte in byte-level vocabularies (as GPT-2 introduced them).

    Printable Latin-1 stands for itself; the other bytes take the characters from U+0100 on, in their order.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
