"""The service's settings, read from the command line into one frozen object."""

import argparse
import json
from dataclasses import dataclass, field, fields
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


def _number(minimum: float, maximum: float, kind: type[int] | type[float] = int) -> Any:  # noqa: ANN401 - argparse names the type in its message by __name__
    def number(text: str) -> float:
        value = kind(text)
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{value} is not between {minimum} and {maximum}")
        return value

    return number


def _setting(text: str, default: object = None, **options: object) -> Any:  # noqa: ANN401 - whatever its field is
    """A field with this default, whose option has this help and these further arguments of `add_argument`."""
    return field(default=default, metadata={"option": {"help": text, **options}})


def _path(text: str, metavar: str = "FILE") -> Any:  # noqa: ANN401 - a path, or None too
    return _setting(text, type=Path, metavar=metavar)


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Limits):
    """The settings of a running service: each of its fields and limits is an option of the command line."""

    bundle: Path = _path("the model bundle to serve", "FOLDER")
    image: Path | None = _path("instead of a bundle an image's folder: its bundle, name and version", "FOLDER")
    check: bool = _setting(
        "score the bundle's golden records and exit: 0 if all match, else 1", default=False, action="store_true"
    )
    engine: EngineName = _setting(
        "what computes scores", EngineName.LIGHTGBM, type=EngineName, choices=list(EngineName)
    )
    model_name: str = _setting("model name to put into each answer", "ctr")
    model_version: str = _setting("model version to put into each answer", "unregistered")
    title: str = _setting("what its page and its description are called", "Personalization")
    keys_file: Path = _path("bearer keys, one a line, as KEY or NAME=KEY; read again when it changes")
    """There is one unless this is a `check`."""
    snapshots: Path | None = _path(
        "folder with the users' histories and the catalogue, for recommendations; followed when they change", "FOLDER"
    )
    snapshots_from: str | None = _setting(
        "fill that folder from this address in Azure Storage, with the pod's identity, and follow it", metavar="URL"
    )
    host: str = _setting("address to listen on", "127.0.0.1")
    port: int = _setting("port to listen on; 0 lets the system choose", 8123, type=_number(0, 65_535))
    inside_port: int | None = _setting(
        "port for the operator's own programs: the page, metrics and the description without a key, over HTTP",
        type=_number(0, 65_535),
        metavar="N",
    )
    inside_host: str = _setting("address of that port", "127.0.0.1")
    workers: int = _setting("worker processes, ideally one per core", 1, type=_number(1, 256))
    queue_seconds: float
    tls_cert: Path | None = _path("PEM certificate chain, to serve HTTPS")
    tls_key: Path | None = _path("PEM private key of the certificate")
    log_requests: RequestLines = _setting(
        "requests that get a line in the log; `refused` are those answered with a status of 400 or above",
        RequestLines.ALL,
        type=RequestLines,
        choices=list(RequestLines),
    )
    log_file: Path | None = _path(
        "write the log to this file instead of standard error; it is renamed at 10 MB, and two older ones are kept"
    )


def parse(arguments: list[str] | None = None) -> ServerSettings:
    """Read the settings from the command line. Exits with a usage message if they are invalid."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    if ("bundle" in values) == ("image" in values):
        parser.error("give either --bundle or --image")
    if (image := values.get("image")) is not None:
        try:
            facts = json.loads((image / "image.json").read_text(encoding="utf-8"))
            values |= {"model_name": facts["model_name"], "model_version": str(facts["model_version"])}
        except (OSError, ValueError, KeyError) as error:
            parser.error(f"--image {image} is not an image's folder: {error!r}")
        values["bundle"] = image / MODEL_FOLDER
    if not values["check"] and "keys_file" not in values:
        parser.error("--keys-file is required to serve")
    if "snapshots_from" in values and "snapshots" not in values:
        parser.error("--snapshots-from needs --snapshots")
    if ("tls_cert" in values) != ("tls_key" in values):
        parser.error("--tls-cert and --tls-key belong together")
    return ServerSettings(**{"queue_seconds": QUEUE_SECONDS[values["engine"]], **values})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring",
        description="Serve click probabilities of a model bundle over HTTP.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add: Any = parser.add_argument
    for own in fields(ServerSettings):
        if "option" in own.metadata:
            add(option(own.name), **_default(own.default), **own.metadata["option"])
    add = parser.add_argument_group("limits").add_argument
    for limit in fields(Limits):
        least, most, text, kind = bounds_of(limit)
        help_text = text[0].lower() + text[1:].removesuffix(".")
        number = _number(least, most, kind)
        add(option(limit.name), type=number, metavar="N", help=help_text, **_default(limit.default))
    return parser


def _default(value: object) -> dict[str, object]:
    return {} if value is None else {"default": value}
