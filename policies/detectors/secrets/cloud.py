# SPDX-License-Identifier: Apache-2.0
"""Keys of clouds and of who hosts in them."""

from typing import Final

from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.secrets.form import (
    ALNUM,
    BASE64,
    HEX,
    LOWER,
    UPPER,
    UUID,
    UUID_FORM,
    base64,
    form,
    varied,
    word,
)
from policies.detectors.secrets.randomness import entropy, is_stand_in

GROUP: Final = "secrets-cloud"

_AWS_ID_LENGTH: Final = 20


def _aws(candidate: Candidate) -> float | None:
    """Take what is drawn by chance; ids are base32, which has no 0, 1, 8 and 9; samples have those too."""
    if entropy(candidate.value) < 2.5 or is_stand_in(candidate.value):  # noqa: PLR2004  # 20 of 36 have 3.7
        return None
    base32 = len(candidate.value) > _AWS_ID_LENGTH or not set(candidate.value[4:]) & set("0189")
    return 1.0 if base32 else 0.9


_AWS_ACCESS_KEY: Final = Detector(
    name="aws-access-key",
    kind="secret.aws-access-key",
    group=GROUP,
    patterns=(
        Pattern(expression=r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}", alone="A-Z0-9"),
        # A secret has no form of its own, so that its name must stand before it. What follows that name is a secret of
        # some kind even where it is longer than AWS makes them.
        Pattern(
            expression=r"secret[_\-. ]?(?:access[_\-. ]?)?key[^A-Za-z0-9/+]{1,12}"
            r"(?:(?:is|was|to|value)[^A-Za-z0-9/+]{1,8})?(?P<value>[A-Za-z0-9/+]{40,128})",
            alone=BASE64,
            alone_before="",
            ignore_case=True,
        ),
    ),
    judge=_aws,
    finds=(
        "AKIAIOSFODNN7EXAMPLE",
        "id=ASIAIOSFODNN7EXAMPLE;",
        "xxAKIAIOSFODNN7EXAMPLExx",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        '{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}',
        "Your secret access key is wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.",
        "AWS_SECRET_KEY:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ignores=(
        "AKIAIOSFODNN7EXAMPL",
        "akiaiosfodnn7example",
        "AKIA-IOSFODNN7EXAMPLE",
        "AKIAXXXXXXXXXXXXXXXX",
        "THEREISINASIAASACKOFRICE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = YOUR_SECRET_ACCESS_KEY_GOES_HERE_PLEASE_TRUST_ME",
        "The secret key is under the mat.",
        "secret access key (see chapter 4): wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
)

CLOUD: Final = (
    _AWS_ACCESS_KEY,
    form(
        "aws-bedrock-key",
        GROUP,
        # Base64 of `BedrockAPIKey-…`, and of a signed request to `bedrock.amazonaws.com`.
        base64(r"ABSKQmVkcm9ja0FQSUtleS1[A-Za-z0-9+/]{60,}={0,2}"),
        base64(r"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/]{0,}={0,2}"),
        tokens=(("ABSKQmVkcm9ja0FQ", "SUtleS1" + ALNUM[:108]), ("bedrock-api-", "key-YmVkcm9jay5hbWF6b25hd3MuY29t")),
        judge=varied(2.5),
    ),
    form(
        "google-api-key",
        GROUP,
        word(r"AIza[A-Za-z0-9_-]{35}"),
        tokens=(("AI" + "za", "Sy" + ALNUM[:33]), ("AI" + "za", ALNUM[40:58] + "-_" + ALNUM[60:75])),
        ignores=("AI" + "zaSyabcdefghijklmnopqrstuvwxyz1234567",),
    ),
    form(
        "google-oauth",
        GROUP,
        word(r"ya29\.[A-Za-z0-9_-]{20,}"),
        word(r"GOCSPX-[A-Za-z0-9_-]{28}"),
        word(r"1//0[A-Za-z0-9_-]{40,100}"),
        tokens=(("ya29.", "a0" + ALNUM[:60]), ("GOCSPX", "-" + ALNUM[:28]), ("1//", "0" + ALNUM[:60])),
    ),
    form(
        "google-service-account",
        GROUP,
        Pattern(expression=r'private_key_id\\?"\s{0,4}:\s{0,4}\\?"(?P<value>[0-9a-f]{40})'),
        tokens=(('"private_key_id": ', f'"{HEX[:40]}"'),),
    ),
    form(
        "azure-client-secret",
        GROUP,
        # Entra writes a version into each: a digit and `Q~` at the fourth place.
        Pattern(expression=r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}", alone="A-Za-z0-9_~-"),
        tokens=(("bX38Q", "~" + ALNUM[:34]), ("_V27Q", "~" + ALNUM[:20] + "-" + ALNUM[30:41])),
    ),
    form(
        "azure-key",
        GROUP,
        # Keys of today name their service.
        base64(r"[A-Za-z0-9+/]{76}(?:APIM|ACDb|\+(?:ABa|AMC|ASt))[A-Za-z0-9+/]{5}[AQgw]=="),
        base64(r"[A-Za-z0-9+/]{33}(?:AIoT|\+(?:ASb|AEh|ARm))[A-Za-z0-9+/]{5}="),
        base64(r"[A-Za-z0-9+/]{42}(?:\+ACR|AzSe|AzCa)[A-D][A-Za-z0-9+/]{5}"),
        word(r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]={0,2}"),
        Pattern(
            expression=r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{18}(?:AZDO|AC[A-Za-z0-9]{2}|AA[A-Za-z0-9]{2})[A-Za-z0-9]{4}"
        ),
        # Keys of before: told by the name that connection strings give them.
        Pattern(
            expression=r"(?:Account|SharedAccess)Key=(?P<value>[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)",
            alone="A-Za-z0-9+/=",
            alone_before="",
        ),
        Pattern(
            expression=r"[?&;]sig=(?P<value>(?:[A-Za-z0-9+/]|%[0-9A-Fa-f]{2}){43}(?:=|%3D))",
            alone="",
        ),
        tokens=(
            (ALNUM[:76], "+AS" + "t" + ALNUM[80:85] + "A=="),
            (ALNUM[:52], "JQQ" + "J99" + ALNUM[60:78] + "AZ" + "DO" + "4xyZ"),
            ("AccountKey=", ALNUM[:86] + "=="),
            ("?sv=2024&sig=", ALNUM[:40] + "%2F" + ALNUM[40:42] + "%3D"),
        ),
    ),
    form(
        "alibaba-access-key",
        GROUP,
        r"LTAI[A-Za-z0-9]{12,20}",
        tokens=(("LT" + "AI", ALNUM[:20]), ("LT" + "AI", LOWER[:16])),
    ),
    form("tencent-secret-id", GROUP, r"AKID[A-Za-z0-9]{32}", tokens=(("AK" + "ID", ALNUM[:32]),)),
    form(
        "ibm-cloud-key",
        GROUP,
        word(r"ApiKey-" + UUID_FORM),
        tokens=(("ApiKey-", UUID),),
    ),
    form(
        "yandex-key",
        GROUP,
        base64(r"t1\.[A-Z0-9a-z_-]{1,}={0,2}\.[A-Z0-9a-z_-]{86}={0,2}"),
        word(r"AQVN[A-Za-z0-9_-]{35,38}"),
        word(r"YC[A-Za-z0-9_-]{38}"),
        tokens=(("AQ" + "VN", ALNUM[:36]), ("Y" + "C", "A" + ALNUM[:37]), ("t1.", ALNUM[:14] + "." + ALNUM[20:106])),
    ),
    form(
        "digitalocean-token",
        GROUP,
        r"do[opr]_v1_[a-f0-9]{64}",
        tokens=(("do" + "p_v1_", HEX[:64]), ("do" + "o_v1_", HEX[8:72])),
    ),
    form("linode-token", GROUP, r"lin_pat_[a-f0-9]{64}", tokens=(("lin_" + "pat_", HEX[:64]),)),
    form("scaleway-key", GROUP, r"SCW[A-Z0-9]{17}", tokens=(("SC" + "W", UPPER[:17]),)),
    form("heroku-key", GROUP, word(r"HRKU-[A-Za-z0-9_-]{60}"), tokens=(("HRKU-", "AA" + ALNUM[:58]),)),
    form(
        "fly-token",
        GROUP,
        word(r"fo1_[A-Za-z0-9_-]{43}"),
        base64(r"fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}"),
        tokens=(("fo" + "1_", ALNUM[:43]), ("fm" + "2_", ALNUM[:100] + "==="), ("fm" + "1r_", ALNUM[:120])),
    ),
    form("netlify-token", GROUP, r"nf[pcou]_[A-Za-z0-9]{36}", tokens=(("nf" + "p_", ALNUM[:36]),)),
    form("render-key", GROUP, r"rnd_[A-Za-z0-9]{32}", tokens=(("rn" + "d_", ALNUM[:32]),)),
    form("vercel-token", GROUP, r"vc[pirak]_[A-Za-z0-9]{24,64}", tokens=(("vc" + "p_", ALNUM[:56]),)),
    form(
        "supabase-key",
        GROUP,
        r"sbp_(?:oauth_|v0_)?[a-f0-9]{40}",
        word(r"sb_secret_[A-Za-z0-9_-]{31}"),
        tokens=(("sb" + "p_", HEX[:40]), ("sb_" + "secret_", ALNUM[:22] + "_" + ALNUM[30:38])),
    ),
    form("neon-key", GROUP, r"napi_[a-z0-9]{64}", tokens=(("na" + "pi_", LOWER[:64]),)),
    form(
        "planetscale-token",
        GROUP,
        Pattern(expression=r"pscale_(?:tkn|oauth|pw|otkn)_[A-Za-z0-9_=.-]{32,64}", alone="A-Za-z0-9_=-"),
        tokens=(("pscale_" + "pw_", ALNUM[:43]), ("pscale_" + "tkn_", ALNUM[:32])),
    ),
    form(
        "databricks-token",
        GROUP,
        r"dapi[a-f0-9]{32}(?:-[0-9])?",
        tokens=(("da" + "pi", HEX[:32]), ("da" + "pi", HEX[:32] + "-2")),
    ),
    form("clickhouse-key", GROUP, r"4b1d[A-Za-z0-9]{38}", tokens=(("4b" + "1d", ALNUM[:38]),)),
    form(
        "mongodb-atlas-secret", GROUP, word(r"mdb_sa_sk_[A-Za-z0-9_-]{40}"), tokens=(("mdb_" + "sa_sk_", ALNUM[:40]),)
    ),
    form(
        "scalingo-token",
        GROUP,
        word(r"tk-us-[A-Za-z0-9_-]{48}"),
        tokens=(("tk-" + "us-", ALNUM[:20] + "_" + ALNUM[30:57]),),
    ),
    form(
        "cloudflare-origin-key",
        GROUP,
        word(r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
        tokens=(("v1.0-", HEX[:24] + "-" + HEX[:146]),),
    ),
    form("upcloud-token", GROUP, r"ucat_[A-Z0-9]{26}", tokens=(("uc" + "at_", UPPER[:26]),)),
    form(
        "aws-session-token",
        GROUP,
        # Base64 of what names the place and the service that gave it.
        base64(r"(?:IQoJb3JpZ2lu|F[Qw]oGZXIvYXdz)[A-Za-z0-9+/]{100,}={0,2}"),
        tokens=(("IQoJb3Jp" + "Z2lu", ALNUM[:160]), ("FwoGZX" + "IvYXdz", ALNUM[:140] + "==")),
    ),
    form("aws-appsync-key", GROUP, r"da2-[a-z0-9]{26}", tokens=(("da" + "2-", LOWER[:26]),)),
    form(
        "aws-marketplace-key",
        GROUP,
        word(r"amzn\.mws\." + UUID_FORM),
        tokens=(("amzn" + ".mws.", UUID),),
    ),
    form(
        "amazon-login-secret", GROUP, r"amzn1\.oa2-cs\.v1\.[a-f0-9]{64}", tokens=(("amzn1.oa2" + "-cs.v1.", HEX[:64]),)
    ),
    form("google-storage-key", GROUP, r"GOOG1E[A-Z0-9]{55}", tokens=(("GOO" + "G1E", UPPER + "X7Q2ZK9"),)),
    form(
        "firebase-messaging-key",
        GROUP,
        word(r"AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{134}"),
        tokens=(("AAA" + "A" + ALNUM[:7], ":APA" + "91b" + ALNUM[:134]),),
    ),
    form("aiven-password", GROUP, word(r"AVNS_[A-Za-z0-9_-]{19}"), tokens=(("AV" + "NS_", ALNUM[:19]),)),
    form("volcengine-key", GROUP, r"AKLT[A-Za-z0-9]{43,44}", tokens=(("AK" + "LT", ALNUM[:43]),)),
    form(
        "baidu-cloud-key",
        GROUP,
        r"bce-v3/ALTAK-[A-Za-z0-9]{21}/[a-f0-9]{40}",
        tokens=(("bce-v3/AL" + "TAK-", ALNUM[:21] + "/" + HEX[:40]),),
    ),
)
