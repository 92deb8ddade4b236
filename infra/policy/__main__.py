"""The entry point of the policy pack, which Pulumi's engine runs."""

from infra.policy.pack import make_pack

make_pack()
