"""The Azure CLI's command that credentials call: a token for a resource.

The identity is the record's `caller`, so that a test can switch deployers.
"""

import argparse
import json
import sys
import time

from tests.simulation.tokens import audience_of, issue
from tests.simulation.world import World, world_from_environment


def main() -> int:
    """Answer `az account get-access-token` with JSON."""
    parser = argparse.ArgumentParser(prog="az")
    parser.add_argument("group", choices=["account"])
    parser.add_argument("command", choices=["get-access-token"])
    parser.add_argument("--resource", "--scope", dest="scope", default="https://management.azure.com")
    parser.add_argument("-o", "--output")
    for ignored in ("--tenant", "--subscription"):
        parser.add_argument(ignored)
    asked = parser.parse_args()
    world = world_from_environment()
    if _is_late(world, asked.scope):
        resource = audience_of(asked.scope)
        sys.stderr.write(f"ERROR: AADSTS500011: The resource principal named {resource} was not found in the tenant.\n")
        return 1
    token, ends = issue(world, str(world.setting("caller")), asked.scope)
    local = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(ends))
    answer = {"tenant": world.setting("tenant"), "accessToken": token, "tokenType": "Bearer"}
    sys.stdout.write(json.dumps(answer | {"expires_on": ends, "expiresOn": local}) + "\n")
    return 0


def _is_late(world: World, scope: str) -> bool:
    """Whether the directory does not know a service yet: one request fewer from now on."""
    with world.transaction():
        late = dict(world.setting("services_late"))
        left = int(late.get(audience_of(scope), 0))
        world.set("services_late", {**late, audience_of(scope): max(0, left - 1)})
    return left > 0


if __name__ == "__main__":
    raise SystemExit(main())
