"""The engine that runs in processes on this machine, without Spark or Java: begin with `engine`.

Spark's tasks select and count a block's rows by the same `selection` and `counting`.
"""
