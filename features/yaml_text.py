"""YAML as people write it, in which a key that stands twice in one mapping is refused, as the specification says."""

from collections.abc import Hashable
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


def load_yaml(text: str) -> Any:  # noqa: ANN401 - whatever the text has
    """The content of a YAML document; raises `yaml.YAMLError`, which names the line."""
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader


class _Loader(yaml.SafeLoader):
    """PyYAML keeps the last of equal keys without a word. What `<<` brings may be replaced: that is what it is for."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        lines: dict[Hashable, int] = {}
        for written in (key for key, _ in node.value if key.tag != _MERGE):
            key = self.construct_object(written, deep=True)
            if isinstance(key, Hashable) and key in lines:
                problem = f"the key {key!r} stands in line {lines[key]} already"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=written.start_mark)
            if isinstance(key, Hashable):  # PyYAML refuses others
                lines[key] = written.start_mark.line + 1
        return super().construct_mapping(node, deep)
