"""From rows to a verified model bundle, in processes on this machine or on Spark.

`python -m training` runs it here, `training.databricks` on Databricks.
"""

from pathlib import Path

from training.platform import on_databricks, prefer_job_libraries

if on_databricks():
    prefer_job_libraries(Path(__file__).parents[1])
