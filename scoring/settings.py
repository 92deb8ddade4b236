"""The service's settings, read from the command line into one frozen object."""

import argparse
import json
import os
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from scoring.engines import EngineName
from scoring.limits import Limits, bounds_of, option


class RequestLines(StrEnum):
    """Which requests have a line in the log."""

    ALL = "all"
    REFUSED = "refused"


MODEL_FOLDER = "model"
"""The bundle's subfolder in an image's folder."""

QUEUE_SECONDS = {EngineName.LIGHTGBM: 0.025, EngineName.SPARK_SERVING: 0.1}
"""Defaults of `--queue-seconds`. That of `spark-serving` tolerates Java's occasional pauses of about 50 ms."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Limits):
    """The settings of a running service."""

    bundle: Path
    keys_file: Path
    snapshots: Path | None
    snapshots_from: str | None
    check: bool
    image: Path | None
    host: str
    port: int
    inside_host: str
    inside_port: int | None
    workers: int
    engine: EngineName
    model_name: str
    model_version: str
    queue_seconds: float
    log_requests: RequestLines
    log_file: Path | None
    tls_certificate: Path | None
    tls_key: Path | None


def parse(arguments: list[str] | None = None) -> ServerSettings:
    """Read the settings from the command line. Exits with a usage message if they are invalid."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    if values["image"] is not None:
        try:
            values |= {"bundle": values["image"] / MODEL_FOLDER, **_image_facts(values["image"])}
        except (OSError, ValueError, KeyError) as error:
            parser.error(f"--image {values['image']} is not an image's folder: {error!r}")
    if not values["check"] and values["keys_file"] is None:
        parser.error("--keys-file is required to serve")
    values["keys_file"] = values["keys_file"] or Path(os.devnull)
    values.setdefault("key_requests", None)
    values.setdefault("queue_seconds", QUEUE_SECONDS[values["engine"]])
    if values["snapshots_from"] is not None and values["snapshots"] is None:
        parser.error("--snapshots-from needs --snapshots")
    if (values["tls_certificate"] is None) != (values["tls_key"] is None):
        parser.error("--tls-cert and --tls-key belong together")
    return ServerSettings(**{field.name: values[field.name] for field in fields(ServerSettings)})


def _image_facts(folder: Path) -> dict[str, str]:
    """The model's name and version in an image's folder. Raises `OSError`, `ValueError` or `KeyError` if invalid."""
    facts = json.loads((folder / "image.json").read_text(encoding="utf-8"))
    return {"model_name": facts["model_name"], "model_version": str(facts["model_version"])}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring",
        description="Serve click probabilities of a model bundle over HTTP.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_model(parser)
    _add_server(parser)
    _add_limits(parser)
    _add_logs(parser)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    source: Any = group.add_mutually_exclusive_group(required=True)
    source.add_argument("--bundle", type=Path, metavar="FOLDER", help="the model bundle to serve")
    source.add_argument("--image", type=Path, metavar="FOLDER", help="an image's folder: its bundle, name and version")
    add: Any = group.add_argument
    add("--check", action="store_true", help="score the bundle's golden records and exit: 0 if all match, else 1")
    add("--engine", type=EngineName, choices=list(EngineName), default=EngineName.LIGHTGBM, help="what computes scores")
    add("--model-name", default="ctr", help="model name to put into each answer")
    add("--model-version", default="unregistered", help="model version to put into each answer")


def _add_server(parser: argparse.ArgumentParser) -> None:
    add: Any = parser.add_argument_group("server").add_argument
    help_text = "bearer keys, one a line, as KEY or NAME=KEY; read again when it changes"
    add("--keys-file", type=Path, metavar="FILE", help=help_text)
    help_text = "folder with the users' histories and the catalogue, for recommendations; followed when they change"
    add("--snapshots", type=Path, metavar="FOLDER", help=help_text)
    help_text = "fill that folder from this address in Azure Storage, with the pod's identity, and follow it"
    add("--snapshots-from", metavar="URL", help=help_text)
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_number(0, 65_535), default=8123, help="port to listen on; 0 lets the system choose")
    help_text = "port for the operator's own programs: the page, metrics and the description without a key, over HTTP"
    add("--inside-port", type=_number(0, 65_535), metavar="N", help=help_text)
    add("--inside-host", default="127.0.0.1", help="address of that port")
    add("--workers", type=_number(1, 256), default=1, help="worker processes, ideally one per core")
    add("--tls-cert", dest="tls_certificate", type=Path, metavar="FILE", help="PEM certificate chain, to serve HTTPS")
    add("--tls-key", type=Path, metavar="FILE", help="PEM private key of the certificate")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add: Any = parser.add_argument_group("limits").add_argument
    for limit in fields(Limits):
        least, most, text, kind = bounds_of(limit)
        default = argparse.SUPPRESS if limit.default is None else limit.default
        help_text = text[0].lower() + text[1:].removesuffix(".")
        add(option(limit.name), type=_number(least, most, kind), default=default, metavar="N", help=help_text)


def _add_logs(parser: argparse.ArgumentParser) -> None:
    add: Any = parser.add_argument_group("logs").add_argument
    add(
        "--log-requests",
        type=RequestLines,
        choices=list(RequestLines),
        default=RequestLines.ALL,
        help="requests that get a line in the log; `refused` are those answered with a status of 400 or above",
    )
    help_text = (
        "write the log to this file instead of standard error; it is renamed at 10 MB, and two older ones are kept"
    )
    add("--log-file", type=Path, metavar="FILE", help=help_text)


def _number(minimum: float, maximum: float, kind: type[int] | type[float] = int) -> Any:  # noqa: ANN401 - argparse names the type in its message by __name__
    def number(text: str) -> float:
        value = kind(text)
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{value} is not between {minimum} and {maximum}")
        return value

    return number
