"""`python -m personalize.docs.readme` writes the settings table into the README; a test finds an old one."""

from infra.settings import Settings
from infra.settings_text import describe_settings
from personalize.views.settings_table import markdown_table
from tools.paths import ROOT

README = ROOT / "README.md"
START = "<!-- settings: made by `python -m personalize.docs.readme` -->\n"
END = "<!-- end of settings -->\n"


def with_settings(text: str) -> str:
    """`text` with the table between its two marks renewed."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    table = "\n".join(markdown_table(describe_settings(Settings)))
    return f"{before}{START}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
