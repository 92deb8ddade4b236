"""Code that steps on this machine and on Azure share."""
