"""Names and numbers of the service in the cluster. No SDK is imported here."""

NAMESPACE = "scoring"
SERVICE_ACCOUNT = "scoring"
NAME = "scoring"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "personalization"}
PORT = 8443
SECRETS_FOLDER = "/mnt/secrets"
KEYS_FILE = f"{SECRETS_FOLDER}/keys"
CERTIFICATE_FILE = f"{SECRETS_FOLDER}/certificate"
PRIVATE_KEY_FILE = f"{SECRETS_FOLDER}/private-key"
KEYS_SECRET = "scoring-keys"  # noqa: S105 - a name in the vault, not a secret
CERTIFICATE_SECRET = "scoring-certificate"  # noqa: S105 - see above
PRIVATE_KEY_SECRET = "scoring-private-key"  # noqa: S105 - see above
USER = 10_001
"""Numeric user of the pods, nobody's in particular: Kubernetes can tell that it is not root."""
DRAIN_SECONDS = 30
"""How long a pod finishes what it has begun."""
LEAVE_SECONDS = 10
"""How long the load balancer may take to notice that a pod leaves."""
