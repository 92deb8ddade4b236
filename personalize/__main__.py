"""The entry point of `personalize`. A signal may come while the commands are still being imported."""

import signal
import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""


def main() -> None:
    """Run the command line, and exit with one of the codes that `--help` lists."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from personalize.commands.app import main as run  # noqa: PLC0415 - takes a third of a second

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: Interrupted. Run the same command again to continue.\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
