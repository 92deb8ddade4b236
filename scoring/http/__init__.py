"""HTTP, in the order of a request.

`door` accepts, `clients` says who may stay, `reader` parses, `connection` keeps requests and answers in their order,
`front` lets in, `identity` tells who asks, `batcher` scores, and `responses` has the bytes that go back. `admission`,
`rates` and `timeouts` hold the limits, `looks` has the routes that are not hot, and `serving` runs it all in a worker.
"""
