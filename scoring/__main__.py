"""`python -m scoring`: serve a model bundle, or check that it can be served."""

import asyncio
import sys

from features.errors import PersonalizationError
from scoring.model.model import ServedModel
from scoring.responses import ModelName
from scoring.server import serve
from scoring.settings import ServerSettings, parse


def main() -> int:
    """Run the command line and return the exit code. An error is printed as one sentence on standard error."""
    settings = parse()
    try:
        if settings.check:
            sys.stdout.write(check(settings) + "\n")
            return 0
        return serve(settings)
    except PersonalizationError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def check(settings: ServerSettings) -> str:
    """Load the bundle, score its golden records and return a report. Raises `PersonalizationError` if that fails."""
    name = ModelName(name=settings.model_name, version=settings.model_version)
    model = ServedModel.load(settings.bundle, name=name, engine=settings.engine, max_records=settings.max_records)
    try:
        golden = asyncio.run(model.check_golden())
    finally:
        model.close()
    return f"The bundle {model.bundle.hash[:12]} reproduces its {golden} golden records with engine {settings.engine}."


if __name__ == "__main__":
    sys.exit(main())
