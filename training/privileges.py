"""What to do if the job's identity lacks a privilege on a volume of Unity Catalog. No Spark: `up` says it too."""

READ = "READ VOLUME"
READ_AND_WRITE = "READ VOLUME, WRITE VOLUME"


def not_granted(verb: str, privileges: str, volume: str, cause: str) -> str:
    """The sentences for a `volume`, `/Volumes/CATALOG/SCHEMA/VOLUME`, that the job can't `verb`."""
    name = volume.removeprefix("/Volumes/").replace("/", ".")
    cause = cause.removesuffix(".")
    return (
        f"The job's identity can't {verb} the volume {volume}: {cause}. The stack grants this to its deployers and to "
        "`azure.training_run_as`, so the job runs as somebody else, or a grant was removed. Run "
        f"`GRANT {privileges} ON VOLUME {name} TO ...` in Databricks, or correct the setting; then run `up` again."
    )
