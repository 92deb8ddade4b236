"""A new image beside the one that serves: tried on a part of the requests, compared, kept or taken back."""
