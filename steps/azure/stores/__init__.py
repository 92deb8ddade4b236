"""Where the steps on Azure keep what they make: the lake, bundles brought from it, and Azure ML's registry."""
