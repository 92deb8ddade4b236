"""From rows to a verified model bundle, on this machine's processes or on Spark.

`python -m training` is the Databricks job and the local run.
"""

from pathlib import Path

from training.platform import on_databricks, prefer_job_libraries

if on_databricks():
    prefer_job_libraries(Path(__file__).parents[1])
