"""Tokens of the simulated Entra ID: signed with a key in the record, for one audience and a limited time.

The stand-in of `az` issues one in hundreds of processes, so it does without PyJWT, which takes most of their time to
import. The services verify tokens with PyJWT.
"""

import base64
import hmac
import json
import secrets
import time

from tests.simulation.world import RefusedError, World

MANAGEMENT = "https://management.azure.com"
STORAGE = "https://storage.azure.com"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630"
VAULT = "https://vault.azure.net"
REGISTRY = "https://containerregistry.azure.net"
ALGORITHM = "HS256"
LIFETIME_SECONDS = 3600
SAME_AUDIENCE = {
    "https://management.core.windows.net": MANAGEMENT,
    "https://management.azure.com": MANAGEMENT,
    "https://ml.azure.com": MANAGEMENT,
}


def audience_of(scope: str) -> str:
    """The audience of a scope ("X/.default") or a resource, in normal form."""
    bare = scope.removesuffix("/.default").rstrip("/")
    return SAME_AUDIENCE.get(bare, bare)


def issue(world: World, object_id: str, scope: str) -> tuple[str, int]:
    """A token of a principal for `scope`, and its expiry in seconds since the epoch."""
    tenant = str(world.setting("tenant"))
    ends = int(time.time()) + LIFETIME_SECONDS
    claims = {
        "aud": audience_of(scope),
        "iss": f"https://sts.windows.net/{tenant}/",
        "oid": object_id,
        "sub": object_id,
        "tid": tenant,
        "nbf": int(time.time()) - 60,
        "iat": int(time.time()) - 60,
        "exp": ends,
    }
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": ALGORITHM}, claims))
    signature = hmac.digest(_key(world).encode(), signed, "sha256")
    return b".".join((signed, _encoded(signature))).decode(), ends


def verify(world: World, header: str, audience: str) -> str:
    """The object id behind an Authorization header. Raises `RefusedError` with 401 if the token isn't valid for the
    audience."""
    import jwt  # noqa: PLC0415 - see above

    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RefusedError(401, "NoAuthenticationInformation", "There is no bearer token.")
    try:
        claims = jwt.decode(token, _key(world), algorithms=[ALGORITHM], audience=audience)
    except jwt.ExpiredSignatureError as error:
        raise RefusedError(401, "ExpiredAuthenticationToken", "The access token has expired.") from error
    except jwt.InvalidTokenError as error:
        raise RefusedError(401, "InvalidAuthenticationToken", f"The access token is not valid: {error}.") from error
    return str(claims["oid"])


def _encoded(content: bytes) -> bytes:
    """Base64 for URLs without padding, as in RFC 7515."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _key(world: World) -> str:
    with world.transaction():
        key = str(world.setting("token_key"))
        if not key:
            key = secrets.token_hex(32)
            world.set("token_key", key)
    return key
