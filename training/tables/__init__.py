"""Files of tables as Arrow columns with the types that the dataset config wants (`training.config`).

`files` finds a table's files and `opening` their bytes; `texts` reads a row's fields and `typed` makes columns of them;
`reading` reads whole tables, and `quick` looks at their beginnings and says what is wrong with them.
"""
