"""How long clients are waited for, beyond `--client-seconds` for a request and for taking its answer."""

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection over which a key was sent may be idle; a stranger's has `--client-seconds`."""

LINGER_SECONDS = 1.0
"""How long a client that is sent away is still listened to: ending at once would take the last answer from it."""

SHUTDOWN_SECONDS = 3.0
"""A client in steady use of its connection sends something within this time, when the service is about to end."""

THROTTLE_SECONDS = 1.0
"""How long a stranger that asks too often is not read from: what it sends meanwhile costs nothing."""
