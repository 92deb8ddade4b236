"""`personalize-kubernetes-token`: how `kubectl` and Pulumi's Kubernetes provider sign in to the cluster.

The kubeconfig makes them run it and read an `ExecCredential` from its standard output. It replaces kubelogin, so that
the cluster gets the same identity as everything else.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from azure.core.exceptions import ClientAuthenticationError

from azure_clients.credentials import KUBERNETES, credential
from features.errors import PersonalizationError

COMMAND = "personalize-kubernetes-token"
API = "client.authentication.k8s.io/v1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a token and return the exit code."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Print a token for the API server of AKS.")
    parser.add_argument("--tenant", required=True, help="the Entra ID tenant to sign in to")
    try:
        token = credential(parser.parse_args(arguments).tenant).get_token(KUBERNETES)
    except (ClientAuthenticationError, PersonalizationError) as error:
        sys.stderr.write(f"error: There is no token for the cluster: {error}\n")
        return 1
    ends = datetime.fromtimestamp(token.expires_on, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"token": token.token, "expirationTimestamp": ends}
    sys.stdout.write(json.dumps({"apiVersion": API, "kind": "ExecCredential", "status": status}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
