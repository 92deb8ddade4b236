"""What the workflows of GitHub do, as commands that work on a laptop too: `python -m personalize.delivery`."""
