"""What the engine runs: this folder is the pack."""

from infra.policy.pack import make_pack

make_pack()
