"""The HTTP server of a worker. The modules, in the order in which a request passes through them:

- `serving` accepts connections and runs the event loop, and `clients` limits the connections' number;
- `reader` parses requests, and `connection` keeps responses in the order of the requests;
- `front` passes requests on or rejects them, by the limits and keys in `admission`, and answers read-only ones;
- `batcher` scores and recommends, and `request` serializes the responses.

`openapi` describes all routes.
"""
