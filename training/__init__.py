"""From rows to a verified model bundle, on this machine's processes or on Spark.

`python -m training` is the Databricks job and the local run.
"""

import os
from pathlib import Path

from training.platform import on_databricks, prefer_job_libraries

# Read when LightGBM is loaded. Threads that wait for each other by spinning take the core that the others need: beside
# a busy process, a fit took 33 s instead of 6 on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if on_databricks():
    prefer_job_libraries(Path(__file__).parents[1])
