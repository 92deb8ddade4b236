"""The steps on this machine: local stand-ins for the Azure services, with the same inputs and outputs."""
