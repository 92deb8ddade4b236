"""The steps on this machine: what stands in for each Azure service, with the same inputs and outputs."""
