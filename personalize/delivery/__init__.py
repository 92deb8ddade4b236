"""The work of GitHub's workflows, as commands that run on any machine: `python -m personalize.delivery`."""
