"""The steps as a Pulumi provider, started by the engine through `pulumi-resource-personalize` in this folder."""
