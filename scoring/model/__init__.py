"""A bundle made ready to score: request types, encoding, and what each operation computes.

Begin with `operations`, from a request's body to the response's. `records` and `recommend_request` decode bodies, and
`diagnosis` says what is wrong with one. `model` loads a bundle: its click model with `encoding`, and its recommender,
which `recommending` and `filtering` ask. `records` has the users' histories and the catalogue, too.
"""
