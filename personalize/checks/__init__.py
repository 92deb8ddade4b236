"""What is looked at before anything is made: this machine, and a subscription."""
