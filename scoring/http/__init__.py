"""HTTP, in the order of a request.

`door` accepts, `clients` says who may stay, `reader` parses, `connection` keeps requests and answers in their order,
`front` lets in, `identity` tells who asks and how often it may, `batcher` scores, and `responses` has the bytes that go
back. `admission` holds the limits of a worker, `looks` has the routes that are not hot, and `serving` runs it all in a
worker.
"""
