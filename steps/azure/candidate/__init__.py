"""A trial: a new image gets part of the traffic, is compared with the current one, and is kept or withdrawn."""
