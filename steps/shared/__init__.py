"""What the steps on this machine and on Azure share."""
