"""A trial: a new image gets a part of the requests, is compared with the one that serves, and is kept or taken back."""
