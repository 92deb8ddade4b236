"""Names, ports and other constants of the service in the cluster. No SDK is imported here."""

NAMESPACE = "scoring"
SERVICE_ACCOUNT = "scoring"
NAME = "scoring"
CANDIDATE = "scoring-candidate"
"""Name of the pods that try another image for a while."""
NAME_LABEL = "app.kubernetes.io/name"
ANSWERING = {"app.kubernetes.io/part-of": "personalization"}
"""Labels of all pods that answer clients, those of a candidate too."""
SHADOWING = {"app.kubernetes.io/part-of": "personalization-shadow"}
"""Labels of pods that are sent copies of requests and answer no client."""
LABELS = {NAME_LABEL: NAME, **ANSWERING}
PORT = 8443
INSIDE_PORT = 9090
"""For probes, metrics, the page and the description, without a key: the load balancer does not lead to it."""
SECRETS_FOLDER = "/mnt/secrets"
KEYS_FILE = f"{SECRETS_FOLDER}/keys"
CERTIFICATE_FILE = f"{SECRETS_FOLDER}/certificate"
PRIVATE_KEY_FILE = f"{SECRETS_FOLDER}/private-key"
TRACES_FILE = f"{SECRETS_FOLDER}/traces"
KEYS_SECRET = "scoring-keys"  # noqa: S105 - a name in the vault, not a secret
CERTIFICATE_SECRET = "scoring-certificate"  # noqa: S105 - see above
PRIVATE_KEY_SECRET = "scoring-private-key"  # noqa: S105 - see above
TRACES_SECRET = "scoring-traces"  # noqa: S105 - see above
SHADOW_OPTION = "--shadow"
"""Of the service: where it sends copies of the requests that it has answered."""
SHADOW_PERCENT_OPTION = "--shadow-percent"
USER = 10_001
"""Numeric user of the pods, nobody's in particular: Kubernetes can tell that it is not root."""
DRAIN_SECONDS = 30
"""How long a pod finishes what it has begun."""
LEAVE_SECONDS = 10
"""How long the load balancer may take to notice that a pod leaves."""
