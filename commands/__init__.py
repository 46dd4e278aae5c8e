"""The verbs of the command line, one module a noun; loaded by `cli` only when asked for."""
