"""Recordings as readable YAML that changes only if the wiring does."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from infra.settings import Settings
from tests.infra.graph.recorder import PEERED
from tests.infra.wiring.recording import Declared, Recording, committed, record
from tests.support.listings import Listing

FOLDER = Path(__file__).parent
WIDTH = 160
OPTIONS = {"container_insights": True}
"""Options that at least one of the committed stacks leaves off."""
PRIVATE = {"network": "private", "peered_network": PEERED, "registry_tier": "Premium"}
IN_PLACE = {"dataset": {"kind": "criteo", "path": "abfss://events@shoplake.dfs.core.windows.net/clicks/days"}}
"""Data in a container that the stack does not own."""
WHOLE = "dev"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "prod": {},
    "dev-with-options": OPTIONS,
    "dev-with-data-in-place": IN_PLACE,
    "private": PRIVATE,
}
"""Files that contain only what differs from `dev`: in stack `prod`, and in `dev` with these settings."""
BASES = {"prod": "dev-with-options"}
"""Files that contain only what differs from another variant, whose options they share."""
PAGES = (WHOLE, *VARIANTS)
GONE = "(not there)"
"""What stands for a resource or an input that the variant lacks."""
HASH = re.compile(r"(?<=[/-])[0-9a-f]{16}(?=[/-])")
WHEEL = re.compile(r"-[^/]+(?=\.whl$)")
"""What follows the package in a wheel's name, from the lock file."""
NOT_WIRING = {
    "code_hash": "of the code",
    "libraries": "of the lock",
    "packages": "of the lock",
    "usd_per_month": "of the prices",
    "wheel": "of the code",
}
"""Inputs shown by a fixed text, because they change with the code, the lock file or the prices.

Lists with these names are shown as they are.
"""


def pages() -> Iterator[tuple[Path, str]]:
    """Each file and its text."""
    for page in PAGES:
        yield FOLDER / f"{page}.yaml", text_of(page)


def text_of(page: str) -> str:
    """The text of a page's file."""
    if page == WHOLE:
        return _text(recorded(page))
    base = recorded(BASES.get(page, WHOLE))
    return _text({"options": VARIANTS[page]} | differences(base, recorded(page)))


@cache
def recorded(page: str) -> dict[str, Any]:
    """All resources and outputs of a page, as `dev.yaml` shows them. Every stack is named `dev`: names say nothing."""
    with patch("infra.program.AzureLake", lambda _: Listing(["clicks/days/day_0.tsv"])):
        return _shown(record(settings_of(page), WHOLE))


def settings_of(page: str) -> Settings:
    """The settings of a page's stack."""
    options = VARIANTS.get(page, {})
    azure = {name: value for name, value in options.items() if name != "dataset"}
    return committed(page if page == "prod" else WHOLE, options.get("dataset"), **azure)


def resources(page: str, kind: str) -> dict[str, dict[str, Any]]:
    """The inputs of a page's resources of a kind such as `keyvault:Vault`, by logical name."""
    found = recorded(page)["resources"].items()
    return {name.partition(" ")[2]: one["inputs"] for name, one in found if name.startswith(f"{kind} ")}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What of `after` differs from `before`, at any depth of dictionaries."""
    found: dict[str, Any] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name, GONE), after.get(name, GONE)
        if isinstance(old, dict) and isinstance(new, dict):
            if inside := differences(old, new):
                found[name] = inside
        elif old != new:
            found[name] = new
    return found


def _shown(recording: Recording) -> dict[str, Any]:
    """Resources by type and name; each resource ID is replaced by the resource's name."""
    ids = {one.id: one.name for one in recording.resources if one.id}
    resources = {one.name: _entry(one, ids) for one in recording.resources}
    assert len(resources) == len(recording.resources), "two resources have one name"
    return {"resources": dict(sorted(resources.items())), "outputs": _readable(recording.outputs, ids)}


def _entry(one: Declared, ids: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = dict(one.options)
    if one.after:
        entry["after"] = one.after
    if one.custom:
        entry["inputs"] = _readable(one.inputs, ids)
    if one.sources:
        entry["from"] = {name: found[0] if len(found) == 1 else found for name, found in sorted(one.sources.items())}
    return entry


def _readable(value: Any, ids: Mapping[str, str], name: str = "") -> Any:
    """`value` for the page: YAML inside texts is parsed, inputs in `NOT_WIRING` become fixed texts."""
    if name in NOT_WIRING and not isinstance(value, list):
        return NOT_WIRING[name]
    match value:
        case dict():
            return {key: _readable(inner, ids, key) for key, inner in sorted(value.items())}
        case list():
            return [_readable(inner, ids) for inner in value]
        case str():
            opened = _opened(value)
            shown = WHEEL.sub("", HASH.sub("HASH", _with_owners(value, ids)))
            return shown if opened is None else {"as text": _readable(opened, ids)}
        case float() if value.is_integer():
            return int(value)
    return value


def _with_owners(text: str, ids: Mapping[str, str]) -> str:
    """Replace each resource ID in `text` by the resource's name in braces; longest IDs first: some contain others."""
    for identity in sorted(ids, key=len, reverse=True):
        text = text.replace(identity, f"{{{ids[identity]}}}")
    return text


def _opened(text: str) -> Any:
    """The content of a text of the Secrets Store CSI driver's Azure provider, YAML texts in a YAML list; or None."""
    return (
        {"array": [yaml.safe_load(one) for one in yaml.safe_load(text)["array"]]} if text.startswith("array:") else None
    )


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never use anchors: they hide repeated values."""
        del data
        return True


def _text(value: Mapping[str, Any]) -> str:
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)
