"""Whether the stack's Kubernetes, Databricks runtime or Python goes out of support soon."""

from datetime import date

from personalize.checks.doctor import Finding
from personalize.checks.subscription.subject import Subject, good, remark
from tools.versions import DATABRICKS_RUNTIME, PYTHON, SUPPORT_ENDS

WARN_DAYS = 180
"""Half a year: a new runtime is a new Python, new Spark and a model trained anew."""
FIXES = {
    "Kubernetes": "set `azure.kubernetes_version` to a newer version, one at a time, and run `up`",
    "Databricks runtime": "use a release of the project with a newer runtime, or change `tools/versions.py`",
    "Python": "use a release of the project with a newer runtime, which brings its Python",
}


def check_support(subject: Subject) -> list[Finding]:
    """A remark for each that ends within half a year or has ended; otherwise one finding."""
    used = {
        "Kubernetes": subject.settings.kubernetes_version,
        "Databricks runtime": DATABRICKS_RUNTIME,
        "Python": PYTHON,
    }
    ends = {
        name: date.fromisoformat(SUPPORT_ENDS[name].get(version, date.max.isoformat()))
        for name, version in used.items()
    }
    today = subject.today()
    wanted = f"{WARN_DAYS} days of support left"
    ending = [
        remark(
            "support",
            f"{name} {used[name]} {'left' if end < today else 'leaves'} its maker's support on {end}",
            wanted,
            FIXES[name],
        )
        for name, end in ends.items()
        if (end - today).days < WARN_DAYS
    ]
    first = min(ends, key=lambda name: ends[name])
    return ending or [good("support", f"first to end: {first} {used[first]} on {ends[first]}", wanted)]
