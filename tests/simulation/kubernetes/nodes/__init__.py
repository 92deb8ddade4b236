"""What kwok does not do on a node: run a pod's process, and lead connections to it."""
