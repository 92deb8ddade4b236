"""The policy pack: what no stack of this project may be, checked by Pulumi's engine before anything is made.

The engine puts this folder first on `sys.path`, so no module here may be called as a package is.
"""
