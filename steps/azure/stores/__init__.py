"""Where the steps on Azure keep their results: the lake, bundles downloaded from it, and Azure ML's registry."""
