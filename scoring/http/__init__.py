"""The HTTP server of a worker. The modules, in the order in which a request passes through them:

- `door` accepts connections, and `clients` limits their number;
- `reader` parses requests, and `connection` keeps responses in the order of the requests;
- `front` admits or rejects requests, and `identity` checks keys and rates;
- `batcher` scores, and `responses` serializes.

`admission` limits the queue and the memory of a worker, `looks` serves the routes that don't score, and `serving` runs
the event loop.
"""
