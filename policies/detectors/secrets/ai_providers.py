# SPDX-License-Identifier: Apache-2.0
"""Keys of those who serve models, and of tools around them."""

from typing import Final

from policies.detectors.secrets.form import ALNUM, HEX, LETTERS, UUID, UUID_FORM, form, varied, word

GROUP: Final = "secrets-ai"

_SIGNED: Final = "T3" + "BlbkFJ"  # base64 of `OpenAI`, in the middle of its keys

AI_PROVIDERS: Final = (
    form(
        "openai-key",
        GROUP,
        word(r"sk-(?:proj|svcacct|admin|None|service)-[A-Za-z0-9_-]{20,}"),
        word(r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
        word(r"sess-[A-Za-z0-9]{40}"),
        tokens=(
            ("sk" + "-", ALNUM[:20] + _SIGNED + ALNUM[30:50]),
            ("sk" + "-proj-", ALNUM[:58] + "-_" + ALNUM[60:74] + _SIGNED + ALNUM[80:154]),
            ("sk" + "-svcacct-", ALNUM[:74] + _SIGNED + ALNUM[80:154]),
        ),
    ),
    form(
        "anthropic-key",
        GROUP,
        word(r"sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{60,120}"),
        tokens=(
            ("sk" + "-ant-api03-", ALNUM[:60] + "_-" + ALNUM[70:101] + "AA"),
            ("sk" + "-ant-admin01-", ALNUM[5:98] + "AA"),
            ("sk" + "-ant-oat01-", ALNUM[:95]),
        ),
    ),
    form(
        "huggingface-token",
        GROUP,
        r"(?:hf|api_org)_[A-Za-z]{34}",
        tokens=(("hf" + "_", LETTERS[:34]), ("api" + "_org_", LETTERS[5:39])),
    ),
    form("openrouter-key", GROUP, r"sk-or-v1-[a-f0-9]{64}", tokens=(("sk" + "-or-v1-", HEX[:64]),)),
    form("groq-key", GROUP, r"gsk_[A-Za-z0-9]{52}", tokens=(("gs" + "k_", ALNUM[:52]),)),
    form("xai-key", GROUP, r"xai-[A-Za-z0-9]{70,85}", tokens=(("xa" + "i-", ALNUM[:80]),)),
    form("perplexity-key", GROUP, r"pplx-[A-Za-z0-9]{48}", tokens=(("pp" + "lx-", ALNUM[:48]),)),
    form("replicate-token", GROUP, r"r8_[A-Za-z0-9]{37}", tokens=(("r" + "8_", ALNUM[:37]),)),
    form("nvidia-key", GROUP, word(r"nvapi-[A-Za-z0-9_-]{60,70}"), tokens=(("nv" + "api-", ALNUM[:64]),)),
    form("cerebras-key", GROUP, r"csk-[a-z0-9]{48}", tokens=(("cs" + "k-", ALNUM[:48].lower()),)),
    form(
        "fireworks-key", GROUP, r"fw_[A-Za-z0-9]{22,24}", tokens=(("f" + "w_", ALNUM[:24]), ("f" + "w_", ALNUM[40:62]))
    ),
    form("together-key", GROUP, word(r"tgp_v1_[A-Za-z0-9_-]{43}"), tokens=(("tg" + "p_v1_", ALNUM[:43]),)),
    form("voyage-key", GROUP, word(r"pa-[A-Za-z0-9_-]{43}"), tokens=(("p" + "a-", ALNUM[:43]),), judge=varied(4.0)),
    form(
        "jina-key", GROUP, word(r"jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}"), tokens=(("ji" + "na_", HEX[:32] + ALNUM[:28]),)
    ),
    form(
        "langsmith-key",
        GROUP,
        r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        tokens=(("ls" + "v2_pt_", HEX[:32] + "_" + HEX[:10]),),
    ),
    form(
        "langfuse-key",
        GROUP,
        word(r"sk-lf-" + UUID_FORM),
        tokens=(("sk" + "-lf-", UUID),),
    ),
    form(
        "pinecone-key",
        GROUP,
        r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,70}",
        tokens=(("pc" + "sk_", ALNUM[:5] + "_" + ALNUM[6:70]),),
    ),
    form("elevenlabs-key", GROUP, r"sk_[a-f0-9]{48}", tokens=(("s" + "k_", HEX[:48]),)),
    form(
        "tavily-key",
        GROUP,
        word(r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}"),
        tokens=(("tv" + "ly-", ALNUM[:32]), ("tv" + "ly-dev-", ALNUM[:32])),
    ),
    form("firecrawl-key", GROUP, r"fc-[a-f0-9]{32}", tokens=(("f" + "c-", HEX[:32]),)),
    form("e2b-key", GROUP, r"e2b_[a-f0-9]{40}", tokens=(("e2" + "b_", HEX[:40]),)),
    form("llamacloud-key", GROUP, r"llx-[A-Za-z0-9]{48}", tokens=(("ll" + "x-", ALNUM[:48]),)),
    form(
        "model-key",
        GROUP,
        # Many who serve models under OpenAI's interface make keys of its first form, without what signs them.
        word(r"sk-[A-Za-z0-9]{32,64}"),
        tokens=(("sk" + "-", HEX[:32]), ("sk" + "-", ALNUM[:48])),
        judge=varied(3.2),
    ),
    form(
        "deepl-key",
        GROUP,
        word(UUID_FORM + ":fx"),
        tokens=((UUID, ":fx"),),
        ignores=(f"{UUID}:ab",),
    ),
)
