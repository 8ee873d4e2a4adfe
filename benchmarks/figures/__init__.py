"""What docs/statistics.md shows in figures: how each is measured. Worlds, null nights and references live here once; tests use them too.

Each module measures one thing and ends with the lines that the page shows; the command is __main__.py.
"""
