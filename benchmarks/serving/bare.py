"""The least that a Python server could do, by which the service's own way is judged: an ASGI function under uvicorn.

It checks a record with msgspec, compares the key with two in constant time, looks 26 hashes up in dictionaries and has
LightGBM score the row. It has no limits, metrics or logs, no batches, and answers nothing else.
"""

import argparse
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn

from features.bundle import MODEL, Bundle
from features.hashing import hash_value
from scoring.engines.booster import Booster
from scoring.engines.lightgbm import LightGbmEngine

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def application(bundle: Bundle, keys: tuple[bytes, bytes]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The function, for one bundle and its keys."""
    schema, encoder = bundle.schema, bundle.encoder
    fields: list[Any] = [(name, float | None, None) for name in schema.numeric]
    fields += [(name, str | None, None) for name in schema.categorical]
    decode = msgspec.json.Decoder(msgspec.defstruct("Record", fields, forbid_unknown_fields=True)).decode
    columns = [encoder.column(index) for index in range(len(schema.categorical))]
    pairs = [(float(rate), float(count)) for rate, count in zip(encoder.rates, encoder.log_counts, strict=True)]
    tables = [dict(zip(encoder.hashes[one].tolist(), pairs[one], strict=True)) for one in columns]
    looked_up = list(zip(tables, [(float(rate), float(count)) for rate, count in encoder.unseen], strict=True))
    engine = LightGbmEngine(bundle.path / MODEL, Booster(bundle.path / MODEL, len(schema.encoded_features)), None)
    numbers = len(schema.numeric)

    async def score(_scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        given = dict(_scope["headers"]).get(b"authorization", b"")
        allowed = [hmac.compare_digest(given, b"Bearer " + key) for key in keys]
        row = msgspec.structs.astuple(decode(body))
        inputs = [np.nan if number is None else number for number in row[:numbers]]
        for (table, unseen), value in zip(looked_up, row[numbers:], strict=True):
            inputs += table.get(hash_value(value or ""), unseen)
        (probability,) = engine.score_now(np.array([inputs]))
        answer = msgspec.json.encode({"probability": probability})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200 if any(allowed) else 401, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return score


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.bare")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    function = application(Bundle.load(options.bundle), (b"another-key-0123456789", options.key.encode()))
    uvicorn.run(function, host="127.0.0.1", port=options.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
