"""Secrets and people's addresses in text from outside are taken out before the text is copied anywhere: histories, chat and tickets keep it.

Found by their form, so a secret without one passes: this is a net, not a wall. What is taken out is named in its place.
"""

import re

PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
TOKENS = (
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, Stripe
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[a-z]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bya29\.[A-Za-z0-9_-]{10,}",
    r"\bhvs\.[A-Za-z0-9_-]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token
)
SECRET = re.compile("|".join((PRIVATE_KEY, *TOKENS)), re.DOTALL)
AUTHORIZATION = re.compile(r"(?i)\b(bearer|basic|token)([ :]+)(?=[A-Za-z0-9._~+/=-]*\d)[A-Za-z0-9._~+/=-]{12,}")
NAMED = re.compile(
    r"(?i)\b([\w.-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token)[\"']?\s*[=:]\s*[\"']?)"
    r"(?!\[secret\])[^\s\"',;&]{4,}"
)
IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@:]{0,200}:[^\s/@]{1,200}@")
MAIL = re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")


def redacted(text: str) -> str:
    """The text with `[secret]` and `[address]` in the places of what must not be copied."""
    found = SECRET.sub("[secret]", text)
    found = IN_URL.sub(r"\1[secret]@", found)
    found = NAMED.sub(r"\1[secret]", found)
    found = AUTHORIZATION.sub(r"\1\2[secret]", found)
    return MAIL.sub("[address]", found)
