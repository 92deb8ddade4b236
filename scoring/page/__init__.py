"""The page at `/`: a self-contained file that calls the service with the key that the browser was given."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from features.reference import MAJOR_SHIFT, STABLE
from scoring.request_errors import Headers

HERE = Path(__file__).parent


@cache
def render() -> tuple[bytes, Headers]:
    """The page and its headers, whose policy allows only its own scripts and styles, and calls to this service."""
    names = ("page.css", "page.js", "recommend.js", "figures.js", "page.html")
    style, script, recommend, figures, whole = ((HERE / name).read_text(encoding="utf-8") for name in names)
    marks = {"STABLE": str(STABLE), "MAJOR": str(MAJOR_SHIFT), "STYLE": style, "SCRIPT": script, "FIGURES": figures}
    for mark, text in (marks | {"RECOMMEND": recommend}).items():
        whole = whole.replace(f"/*{mark}*/", text)
    policy = (
        f"default-src 'none'; script-src {_source(script)} {_source(recommend)} {_source(figures)}; "
        f"style-src {_source(style)}; style-src-attr 'none'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = [
        (b"content-security-policy", policy.encode()),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return whole.encode(), headers


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
