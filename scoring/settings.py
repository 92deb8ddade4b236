"""The server's settings: one frozen value, read from the command line."""

import argparse
import json
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from scoring.engines import EngineName


class RequestLines(StrEnum):
    """Which requests have a line in the log."""

    ALL = "all"
    REFUSED = "refused"


WHOLE = 100
"""Percent."""

QUEUE_SECONDS = {EngineName.LIGHTGBM: 0.025, EngineName.SPARK_SERVING: 0.1}
"""Java stops for some 50 milliseconds now and then, which is no reason to refuse anybody."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How the service is run."""

    bundle: Path
    keys_file: Path | None
    check: bool
    host: str
    port: int
    fd: int | None
    workers: int
    engine: EngineName
    model_name: str
    model_version: str
    max_records: int
    max_body_bytes: int
    max_header_bytes: int
    max_queue: int
    queue_seconds: float
    max_connections: int
    client_seconds: float
    deadline_seconds: float
    drain_seconds: int
    log_requests: RequestLines
    tls_certificate: Path | None
    tls_key: Path | None
    shadow: str | None
    shadow_percent: int
    traces: Path | None
    trace_percent: float


def parse(arguments: list[str] | None = None) -> ServerSettings:
    """The settings that the command line states; ends the process with a usage message when it cannot be read."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    if values["image"] is not None:
        try:
            values |= _of_image(values["image"])
        except (OSError, ValueError, KeyError) as error:
            parser.error(f"--image {values['image']} is not an image's folder: {error!r}")
    if not values["check"] and values["keys_file"] is None:
        parser.error("--keys-file is required to serve")
    values.setdefault("queue_seconds", QUEUE_SECONDS[values["engine"]])
    if (values["tls_certificate"] is None) != (values["tls_key"] is None):
        parser.error("--tls-cert and --tls-key belong together")
    return ServerSettings(**{field.name: values[field.name] for field in fields(ServerSettings)})


def _of_image(folder: Path) -> dict[str, Any]:
    """The model in an image's folder, and which one it is."""
    facts = json.loads((folder / "image.json").read_text(encoding="utf-8"))
    model = folder / "model"
    return {"bundle": model, "model_name": facts["model_name"], "model_version": str(facts["model_version"])}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring",
        description="Serve click probabilities of a model bundle over HTTP.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add: Any = parser.add_argument
    served: Any = parser.add_mutually_exclusive_group(required=True)
    served.add_argument("--bundle", type=Path, metavar="FOLDER", help="the model bundle to serve")
    served.add_argument("--image", type=Path, metavar="FOLDER", help="an image's folder: its bundle, name and version")
    add("--check", action="store_true", help="score the bundle's golden records and exit: 0 when right, else 1")
    add("--keys-file", type=Path, metavar="FILE", help="one or two bearer keys, each on its line; read when it changes")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_number(0, 65_535), default=8123, help="port to listen on; 0 lets the system choose")
    add("--fd", type=_number(0, 65_535), metavar="N", help="serve on this open socket instead of --host and --port")
    add("--workers", type=_number(1, 256), default=1, help="processes, best one a core")
    add("--engine", type=EngineName, choices=list(EngineName), default=EngineName.LIGHTGBM, help="what computes scores")
    add("--model-name", default="ctr", help="the model's name in each answer")
    add("--model-version", default="unregistered", help="the model's version in each answer")
    add("--max-records", type=_number(1, 100_000), default=1000, metavar="N", help="records in a request at most")
    add("--max-body-bytes", type=_number(1, 1 << 30), default=4 << 20, metavar="N", help="bytes of a body at most")
    add(
        "--max-header-bytes", type=_number(256, 1 << 20), default=16 << 10, metavar="N", help="bytes of headers at most"
    )
    add(
        "--max-queue", type=_number(1, 100_000), default=256, metavar="N", help="requests that wait in a worker at most"
    )
    seconds = ", ".join(f"{limit:g} for {engine}" for engine, limit in QUEUE_SECONDS.items())
    add(
        "--queue-seconds",
        type=float,
        default=argparse.SUPPRESS,
        metavar="S",
        help=f"seconds that the queue may take to answer (default: {seconds})",
    )
    add("--max-connections", type=_number(1, 100_000), default=1000, metavar="N", help="clients of a worker at most")
    add("--client-seconds", type=float, default=10.0, metavar="S", help="seconds to send a request or take its answer")
    add(
        "--deadline-seconds", type=float, default=1.0, metavar="S", help="seconds that a whole request may wait at most"
    )
    add("--drain-seconds", type=_number(0, 3600), default=30, metavar="S", help="seconds for open requests at the end")
    add(
        "--log-requests",
        type=RequestLines,
        choices=list(RequestLines),
        default=RequestLines.ALL,
        help="requests with a line of their own in the log; `refused` are those with a status of 400 or more",
    )
    add("--tls-cert", dest="tls_certificate", type=Path, metavar="FILE", help="PEM certificate chain to serve HTTPS")
    add("--tls-key", type=Path, metavar="FILE", help="PEM private key of the certificate")
    add(
        "--shadow",
        type=_address,
        metavar="HOST:PORT",
        help="send copies of answered requests there; answers are unused",
    )
    add("--shadow-percent", type=_number(1, 100), default=20, metavar="N", help="share of the requests that are copied")
    add(
        "--traces",
        type=Path,
        metavar="FILE",
        help="trace requests; holds Application Insights' connection string; needs an image that was built for it",
    )
    add("--trace-percent", type=_share, default=1.0, metavar="N", help="share of the requests that are traced")
    return parser


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= WHOLE:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {WHOLE}")
    return share


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


def _number(least: int, most: int) -> Any:  # noqa: ANN401 - argparse names the type in its message by __name__
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return number
