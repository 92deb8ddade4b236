"""One stack of the Pulumi program on this machine, driven through the Automation API."""
