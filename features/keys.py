"""The keys of users and items: one text for each, by which tables, snapshots, models and requests know it.

A table writes the same key as `12` where its column holds integers and as `12.0` where it holds floats, as pandas makes
of integers if one is missing.
"""

import re

WHOLE = r"(-?[0-9]+)\.0*"
"""A whole number with a decimal point."""
EXPONENT = "e+"
_LARGE = re.compile(r"-?[0-9](\.[0-9]+)?e\+1[6-9]")
"""A float of 1e16 or more, which Python writes with an exponent. None of 64 bits has a larger one."""


def key_of(key: str | int) -> str:
    """The one text of a key as a table or a request writes it: 12, `12` and `12.0` are the same key, `012` and `a12`
    are others.
    """
    text = str(key)
    if EXPONENT in text:
        return str(int(float(text))) if _LARGE.fullmatch(text) else text
    if "." not in text:  # nearly every key, and much faster
        return text
    whole = re.fullmatch(WHOLE, text)
    return whole[1] if whole else text
