"""What the workflows in `.github/workflows` do, as commands that work on a laptop too: `python -m infra.delivery`."""
