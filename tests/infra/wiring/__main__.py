"""`make wiring`: record what the stacks send now. Review the changes with `git diff`."""

import sys

from tests.infra.wiring.page import pages
from tools.paths import ROOT

if __name__ == "__main__":
    for file, text in pages():
        changed = not file.is_file() or file.read_text(encoding="utf-8") != text
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(ROOT)}: {'changed' if changed else 'the same'}\n")
