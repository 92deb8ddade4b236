"""The keys of every Key Vault in the record: encrypt and decrypt with real RSA, for callers with a role."""

import base64
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.simulation.fakes.service import application
from tests.simulation.services.authorization import may
from tests.simulation.services.catalogue import VAULT as VAULTS
from tests.simulation.tokens import VAULT, verify
from tests.simulation.world import RefusedError, World

ALGORITHM = "RSA-OAEP-256"
PADDING = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
BITS = 2048


def vault_keys(world: World) -> Starlette:
    """The endpoint for all `VAULT.vault.azure.net`."""
    keys: dict[str, rsa.RSAPrivateKey] = {}

    async def operate(request: Request) -> Response:
        if "authorization" not in request.headers:
            return _challenge(world)  # the client's first request has no token: the answer names the audience
        vault = world.named(VAULTS, request.headers["host"])
        caller = verify(world, request.headers["authorization"], VAULT)
        found = world.get(f"{vault.id}/keys/{request.path_params['name']}")
        if found is None:
            raise RefusedError(404, "KeyNotFound", f"There is no key '{request.path_params['name']}' in this vault.")
        if not may(world, caller, found.id, "Key Vault Crypto User"):
            raise RefusedError(403, "Forbidden", f"Caller '{caller}' is not authorized to use this key.")
        body: dict[str, Any] = await request.json()
        if body.get("alg") != ALGORITHM:
            raise RefusedError(400, "BadParameter", f"The algorithm '{body.get('alg')}' is not simulated.")
        if found.id not in keys:
            keys[found.id] = rsa.generate_private_key(65537, BITS)
        key = keys[found.id]
        value = _decoded(str(body["value"]))
        encrypting = request.path_params["operation"] == "encrypt"
        done = key.public_key().encrypt(value, PADDING) if encrypting else key.decrypt(value, PADDING)
        identity = f"https://{request.headers['host']}/keys/{request.path_params['name']}/1"
        return JSONResponse({"kid": identity, "value": base64.urlsafe_b64encode(done).decode().rstrip("=")})

    paths = ("/keys/{name}/{operation}", "/keys/{name}/{version}/{operation}", "/keys/{name}//{operation}")
    routes = [Route(path, operate, methods=["POST"]) for path in paths]
    return application(world, "vault", routes, audience=None)


def _challenge(world: World) -> Response:
    authority = f"https://login.microsoftonline.com/{world.setting('tenant')}"
    header = f'Bearer authorization="{authority}", resource="{VAULT}"'
    return JSONResponse(
        {"error": {"code": "Unauthorized", "message": "AKV10000"}}, 401, headers={"WWW-Authenticate": header}
    )


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
