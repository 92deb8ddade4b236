"""What is left of a stack that was taken down, for the workflow's summary."""

from collections.abc import Iterator, Mapping
from typing import Any


def destroyed(stack: str, content: Mapping[str, Any]) -> Iterator[str]:
    """Markdown from what `personalize destroy --json` printed, which is nothing when it was refused."""
    if "changes" not in content:
        yield f"Stack `{stack}` was not taken down."
        return
    yield f"Stack `{stack}` is gone: {counted(content['changes'])}."
    left = content.get("left", [])
    costing = [one for one in left if one["billable"]]
    if "left" in content:
        yield ""
        yield f"**{len(costing)} thing(s) left that cost money.**" if costing else "Nothing is left that costs money."
    if left:
        yield ""
        yield "| costs money | what | name | why it is there |"
        yield "|---|---|---|---|"
        for one in left:
            yield f"| {'yes' if one['billable'] else 'no'} | {one['kind']} | `{one['name']}` | {one['why']} |"


def counted(changes: Mapping[str, int]) -> str:
    """What happened to how many resources, in the engine's words."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(changes.items()) if count) or "nothing changed"
