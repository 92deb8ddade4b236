"""The policy pack: rules that Pulumi's engine checks for every stack before it creates anything.

The engine puts this folder first on `sys.path`, so no module here may have the name of an installed package.
"""
