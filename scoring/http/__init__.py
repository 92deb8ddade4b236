"""HTTP: connections, limits, the short way of a request for scores, and the routes that are not hot."""
