"""Where the steps on Azure keep their results: the lake, and Azure ML's registry."""
