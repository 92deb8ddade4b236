"""Microsoft's published type definitions of Azure's resources (github.com/Azure/bicep-types-az), as a second check.

They come from the same specifications as the SDKs, through another generator. The project has no copy: an environment
variable names the folder of a checkout.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "PERSONALIZATION_BICEP_TYPES"
REQUIRED, READ_ONLY = 1, 2
OF_EVERY_RESOURCE = frozenset({"id", "name", "type", "apiVersion"})
"""Fields that are in a template's body but in a request's path."""
Type = Mapping[str, Any]


def checkout() -> Path | None:
    """The folder that the variable names, or None."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


class Definitions:
    """The types of a checkout; each file is read when it's needed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the checkout's."""
        self._folder = folder / "generated"
        self._files: dict[Path, Sequence[Type]] = {}

    def problems(self, kind: str, body: Mapping[str, Any]) -> list[str]:
        """The problems in the body of `kind`, such as "Microsoft.KeyVault/vaults@2024-11-01".

        Raises `LookupError` for a type or a version that is not published.
        """
        name, version = kind.split("@")
        for file in sorted(self._folder.glob(f"*/{name.partition('/')[0].lower()}/{version}/types.json")):
            if file not in self._files:
                self._files[file] = json.loads(file.read_text(encoding="utf-8"))
            types = self._files[file]
            for one in types:
                if one["$type"] == "ResourceType" and one["name"].lower() == kind.lower():
                    return list(_Judge(types).object(body, types[_number(one["body"])], "", OF_EVERY_RESOURCE))
        raise LookupError(f"There is no {kind} in {self._folder}. A later commit of bicep-types-az may have it.")


class _Judge:
    def __init__(self, types: Sequence[Type]) -> None:
        self._types = types

    def object(self, value: Any, kind: Type, path: str, given: frozenset[str] = frozenset()) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r} is no object"
            return
        if kind["$type"] == "DiscriminatedObjectType":
            chosen = value.get(kind["discriminator"])
            if chosen not in kind["elements"]:
                yield f"{path}.{kind['discriminator']}: {chosen!r} is not one of {sorted(kind['elements'])}"
                return
            variant = self._types[_number(kind["elements"][chosen])]
            members = {**kind["baseProperties"], **variant["properties"]}
        else:
            members = kind["properties"]
        for name, part in value.items():
            where = f"{path}.{name}".removeprefix(".")
            if name in members and members[name]["flags"] & READ_ONLY:
                yield f"{where}: read-only"
            elif name in members:
                yield from self.any(part, members[name]["type"], where)
            elif "additionalProperties" in kind:
                yield from self.any(part, kind["additionalProperties"], where)
            else:
                yield f"{where}: unknown"
        needed = {
            name for name, member in members.items() if member["flags"] & REQUIRED and not member["flags"] & READ_ONLY
        }
        yield from (f"{path}.{name}: missing".removeprefix(".") for name in sorted(needed - value.keys() - given))

    def any(self, value: Any, reference: Type, path: str) -> Iterator[str]:
        kind = self._types[_number(reference)]
        match kind["$type"]:
            case "AnyType":
                return
            case "ObjectType" | "DiscriminatedObjectType":
                yield from self.object(value, kind, path)
            case "ArrayType":
                if not isinstance(value, list):
                    yield f"{path}: {value!r} is no list"
                    return
                for number, part in enumerate(value):
                    yield from self.any(part, kind["itemType"], f"{path}[{number}]")
            case "UnionType":
                if all(list(self.any(value, element, path)) for element in kind["elements"]):
                    yield f"{path}: {value!r} is none of what is allowed"
            case _:
                if not _fits(value, kind):
                    yield f"{path}: {value!r} does not fit {kind}"


def _fits(value: Any, kind: Type) -> bool:
    """Whether a scalar matches a type; Azure compares fixed texts case-insensitively."""
    match kind["$type"]:
        case "StringLiteralType":
            return isinstance(value, str) and value.lower() == kind["value"].lower()
        case "StringType":
            long_enough = isinstance(value, str) and kind.get("minLength", 0) <= len(value)
            return long_enough and len(value) <= kind.get("maxLength", len(value)) and _matches(value, kind)
        case "IntegerType":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and kind.get("minValue", value) <= value <= kind.get("maxValue", value)
        case "BooleanType":
            return isinstance(value, bool)
        case other:
            raise NotImplementedError(other)


def _matches(value: str, kind: Type) -> bool:
    return re.search(kind["pattern"], value) is not None if "pattern" in kind else True


def _number(reference: Type) -> int:
    """The index in a reference within the file, such as `#/7`."""
    return int(str(reference["$ref"]).removeprefix("#/"))
