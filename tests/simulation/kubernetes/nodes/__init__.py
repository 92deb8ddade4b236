"""What kwok doesn't do on a node: run a pod's process, and route connections to it."""
