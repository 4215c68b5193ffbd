"""What tokens and private keys look like, by who gives them out.

Each shape has a text that is in every such secret: where a file does not hold that text, its expression is not even
compiled. What stands behind a prefix is so long that nobody writes it by chance. Sources: what the providers document,
and the rules of gitleaks (MIT) as far as they go by the value alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Shape:
    """One kind of secret, called `kind` in a sentence. `part` is in each of them; `pattern` says all of it."""

    kind: str
    part: str
    pattern: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, compiled when it is first needed."""
        return re.compile(self.pattern)


def _prefixed(kind: str, rest: str, *prefixes: str) -> tuple[Shape, ...]:
    """Return shapes that begin with one of several texts; `rest` is the expression for what follows."""
    return tuple(Shape(kind, prefix, re.escape(prefix) + rest) for prefix in prefixes)


_B64 = "[A-Za-z0-9+/]"
_URL64 = "[A-Za-z0-9_-]"
_ALNUM = "[A-Za-z0-9]"
_HEX = "[0-9a-f]"

WORD = 20
"""How long a secret of WORDS is at least, without a space in it."""
WORDS: tuple[Shape, ...] = (
    # private keys by how their base64 begins: OpenSSH, RSA of 2048 and 4096 bits, PKCS 8 of these, Ed25519, P-256
    *_prefixed("a private key", _B64 + "{20,}", "b3BlbnNzaC1rZXktdjE", "MIIEpAIBAAKCAQEA", "MIIEowIBAAKCAQEA"),
    *_prefixed("a private key", _B64 + "{20,}", "MIIJKAIBAAKCAgEA", "MIIJKQIBAAKCAgEA", "MC4CAQAwBQYDK2VwBCIE"),
    *_prefixed("a private key", _B64 + "{20,}", "MIIEvQIBADANBgkqhki", "MIIEvgIBADANBgkqhki", "MHcCAQEEI"),
    *_prefixed("a private key", "[A-Z0-9]{20,}", "AGE-SECRET-KEY-1"),
    # models
    *_prefixed("a key of Anthropic", _URL64 + "{20,}", "sk-ant-"),
    *_prefixed("a key of OpenAI", _URL64 + "{20,}", "sk-proj-", "sk-svcacct-", "sk-admin-"),
    *_prefixed("a key of OpenRouter", _HEX + "{32,}", "sk-or-v1-"),
    *_prefixed("a key of OpenAI or one like it", _ALNUM + "{32,}", "sk-"),
    *_prefixed("a key of ElevenLabs", _HEX + "{40,}", "sk_"),
    *_prefixed("a token of Hugging Face", _ALNUM + "{30,}", "hf_", "api_org_"),
    *_prefixed("a key of Replicate", _ALNUM + "{32,}", "r8_"),
    *_prefixed("a key of Groq", _ALNUM + "{40,}", "gsk_"),
    *_prefixed("a key of xAI", _ALNUM + "{40,}", "xai-"),
    *_prefixed("a key of Perplexity", _ALNUM + "{40,}", "pplx-"),
    *_prefixed("a key of Cerebras", _ALNUM + "{40,}", "csk-"),
    *_prefixed("a key of NVIDIA", _URL64 + "{40,}", "nvapi-"),
    *_prefixed("a key of Fireworks", _ALNUM + "{22,}", "fw_"),
    *_prefixed("a key of Tavily", "[A-Za-z0-9-]{24,}", "tvly-"),
    *_prefixed("a key of LangSmith", _HEX + "{32}", "lsv2_pt_", "lsv2_sk_"),
    # code and packages
    *_prefixed("a token of GitHub", _ALNUM + "{36,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *_prefixed("a token of GitHub", "[A-Za-z0-9_]{40,}", "github_pat_"),
    *_prefixed("a token of GitLab", "[A-Za-z0-9_=.-]{20,}", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-"),
    *_prefixed("a token of GitLab", "[A-Za-z0-9_=.-]{20,}", "glimt-", "glagent-", "gloas-", "glsoat-", "GR1348941"),
    *_prefixed("a token of npm", _ALNUM + "{36}", "npm_"),
    *_prefixed("a token of PyPI", _URL64 + "{50,}", "pypi-AgE"),
    *_prefixed("a token of RubyGems", _HEX + "{48}", "rubygems_"),
    *_prefixed("a token of Docker Hub", _URL64 + "{20,}", "dckr_pat_", "dckr_oat_"),
    *_prefixed("a token of Buildkite", _HEX + "{40}", "bkua_", "bkat_"),
    *_prefixed("a token of CircleCI", _URL64 + "{40,}", "CCIPAT_"),
    *_prefixed("a token of Sentry", "[A-Za-z0-9+/=_]{40,}", "sntrys_", "sntryu_"),
    # clouds
    *_prefixed("a key of AWS", "(?![A-Z0-9]*EXAMPLE)[A-Z2-7]{16}", "AKIA", "ASIA", "ABIA"),
    *_prefixed("a key of AWS Bedrock", _B64 + "{80,}", "ABSK"),
    *_prefixed("a key of AWS Bedrock", _ALNUM + "{40,}", "bedrock-api-key-"),
    *_prefixed("a key of Google", _URL64 + "{35}", "AIza"),
    *_prefixed("a key of Google", "[A-Za-z0-9_.-]{28,}", "ya29.", "GOCSPX-", "1//0"),
    Shape("a secret of Azure", "Q~", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    *_prefixed("a key of Azure", _B64 + "{40,}", "AccountKey=", "SharedAccessKey="),
    Shape("a token of Azure DevOps", "AZDO", r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
    *_prefixed("a token of DigitalOcean", _HEX + "{64}", "dop_v1_", "doo_v1_", "dor_v1_"),
    *_prefixed("a token of Fly", "[A-Za-z0-9+/=_-]{40,}", "fm1r_", "fm2_", "fo1_"),
    *_prefixed("a key of Heroku", _URL64 + "{36,}", "HRKU-"),
    *_prefixed("a token of Netlify", _ALNUM + "{36,}", "nfp_"),
    *_prefixed("a key of Supabase", _URL64 + "{20,}", "sbp_", "sb_secret_"),
    *_prefixed("a secret of PlanetScale", "[A-Za-z0-9=._-]{32,}", "pscale_tkn_", "pscale_oauth_", "pscale_pw_"),
    *_prefixed("a token of Databricks", _HEX + "{32}", "dapi"),
    *_prefixed("a token of Doppler", "[A-Za-z0-9._-]{40,}", "dp.pt.", "dp.st.", "dp.sa.", "dp.ct."),
    *_prefixed("a token of Vault", _URL64 + "{24,}", "hvb.", "hvs.", "hvr."),
    Shape("a token of Terraform", ".atlasv1.", rf"(?<![A-Za-z0-9])[A-Za-z0-9]{{14}}\.atlasv1\.{_URL64}{{40,}}"),
    *_prefixed("a token of Pulumi", _HEX + "{40}", "pul-"),
    *_prefixed("a token of 1Password", "[A-Za-z0-9+/_-]{80,}", "ops_eyJ"),
    Shape("a key of Tailscale", "tskey-", "tskey-[a-z]{2,10}-[A-Za-z0-9]{6,20}-[A-Za-z0-9]{20,}"),
    *_prefixed("a token of OpenShift", _URL64 + "{43}", "sha256~"),
    # talking to people
    *_prefixed("a token of Slack", "[A-Za-z0-9-]{16,}", "xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-"),
    *_prefixed("a token of Slack", "[A-Za-z0-9-]{16,}", "xoxs-", "xapp-1-"),
    *_prefixed("a webhook of Slack", "[A-Za-z0-9/]{30,}", "hooks.slack.com/services/", "hooks.slack.com/workflows/"),
    Shape("a token of a Telegram bot", ":AA", rf"(?<![0-9])[0-9]{{8,10}}:AA{_URL64}{{33}}"),
    Shape("a token of Discord", ".", rf"(?<!{_URL64})[MNO]{_URL64}{{23,25}}\.{_URL64}{{6}}\.{_URL64}{{27,40}}"),
    *_prefixed("a webhook of Discord", f"[0-9]{{15,20}}/{_URL64}{{40,}}", "discord.com/api/webhooks/"),
    *_prefixed("a webhook of Discord", f"[0-9]{{15,20}}/{_URL64}{{40,}}", "discordapp.com/api/webhooks/"),
    *_prefixed("a key of SendGrid", rf"{_URL64}{{20,24}}\.{_URL64}{{40,}}", "SG."),
    *_prefixed("a key of Twilio", f"{_HEX}{{32}}(?!{_HEX})", "SK"),
    *_prefixed("a key of Mailgun", f"{_HEX}{{32}}(?!{_HEX})", "key-"),
    *_prefixed("a key of Brevo", _HEX + "{64}", "xkeysib-"),
    *_prefixed("a key of Resend", _ALNUM + "{8}_" + _ALNUM + "{24}", "re_"),
    # the work of an office
    *_prefixed("a token of Notion", _ALNUM + "{40,}", "ntn_", "secret_"),
    *_prefixed("a key of Linear", _ALNUM + "{32,}", "lin_api_", "lin_oauth_"),
    *_prefixed("a token of Atlassian", "[A-Za-z0-9_=-]{80,}", "ATATT3"),
    *_prefixed("a token of Figma", _URL64 + "{36,}", "figd_"),
    *_prefixed("a token of Airtable", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}", "pat"),
    *_prefixed("a key of Postman", _HEX + "{24}-" + _HEX + "{34}", "PMAK-"),
    *_prefixed("a key of Grafana", "[A-Za-z0-9+/_]{40,}", "glc_", "glsa_"),
    *_prefixed("a key of New Relic", "[A-Z0-9]{27}", "NRAK-"),
    *_prefixed("a key of PostHog", _ALNUM + "{40,}", "phx_"),
    # money
    *_prefixed("a key of Stripe", _ALNUM + "{16,}", "sk_live_", "sk_test_", "rk_live_", "rk_test_"),
    *_prefixed("the secret of a webhook", _B64 + "{24,}", "whsec_"),
    *_prefixed("a token of Shopify", "[0-9a-fA-F]{32}", "shpat_", "shpca_", "shppa_", "shpss_"),
    *_prefixed("a token of Square", _URL64 + "{22,}", "sq0atp-", "sq0csp-"),
    *_prefixed("a token of Facebook", _ALNUM + "{80,}", "EAAC", "EAAM"),
    # whoever gave it out
    Shape("a JSON Web Token", "eyJ", rf"(?<!{_URL64})eyJ{_URL64}{{10,}}\.eyJ{_URL64}{{10,}}\.{_URL64}{{16,}}"),
    *_prefixed("the hash of a password", "[./A-Za-z0-9=,+$-]{30,}", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$"),
    *_prefixed("the hash of a password", "[./A-Za-z0-9=,+$-]{30,}", "$argon2i", "$scrypt$"),
)

TEXTS: tuple[Shape, ...] = (
    Shape(
        "a private key",
        "PRIVATE KEY",
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[\s\\\"'|>n]|[A-Za-z-]{1,40}: [^\n]{1,100}\n){0,40}[A-Za-z0-9+/=\\]{16,}"
        r"(?:[A-Za-z0-9+/=\s\\\"'|>]{0,20000}-----END [A-Z0-9 ]{1,60}-----)?",
    ),
    Shape("a private key", "PuTTY-User-Key-File-", "PuTTY-User-Key-File-[0-9]: "),
    # The password may be a variable, or nothing but letters x or stars.
    Shape(
        "a password in a URL",
        "://",
        r"(?<=://)[^\s/:@\"'<>]{1,100}:(?![<${*.…]|[xX]+@)[^\s/@\"'<>]{1,200}@(?=[A-Za-z0-9\[])",
    ),
    Shape(
        "an Authorization header",
        "uthorization",
        r"[Aa]uthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:[Bb]earer|[Bb]asic|[Tt]oken|[Dd]igest)\s{1,4}"
        r"(?![<${*])[A-Za-z0-9+/._~=-]{8,}",
    ),
    Shape("a bearer token", "earer ", "[Bb]earer (?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{20,}"),
)
"""Secrets that have spaces in them, or are short."""
