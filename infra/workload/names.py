"""Names, ports and other constants of the service in the cluster. Imports no SDK."""

NAMESPACE = "scoring"
SERVICE_ACCOUNT = "scoring"
NAME = "scoring"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "personalization"}
PORT = 8443
INSIDE_PORT = 9090
"""For probes, metrics, the page and the API description, without an API key. The load balancer does not expose it."""
SECRETS_FOLDER = "/mnt/secrets"
KEYS_FILE = f"{SECRETS_FOLDER}/keys"
CERTIFICATE_FILE = f"{SECRETS_FOLDER}/certificate"
PRIVATE_KEY_FILE = f"{SECRETS_FOLDER}/private-key"
KEYS_SECRET = "scoring-keys"  # noqa: S105 - a name in the vault, not a secret
CERTIFICATE_SECRET = "scoring-certificate"  # noqa: S105 - see above
PRIVATE_KEY_SECRET = "scoring-private-key"  # noqa: S105 - see above
USER = 10_001
"""Numeric user ID of the pods, so that Kubernetes can check that it is not root."""
DRAIN_SECONDS = 30
"""How long a pod may take to finish open requests."""
LEAVE_SECONDS = 10
"""How long the load balancer may take to stop sending requests to a leaving pod."""
