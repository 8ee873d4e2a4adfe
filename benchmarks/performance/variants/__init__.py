"""One script a competitor, each run as a process of its own by its own Python: `script ARCHIVE OUT QUESTION` prints {"rows", "n", "k"}.

ARCHIVE is a .gz; OUT a folder for the Parquet file; QUESTION a JSON file {"box": [w, s, e, n], "words": [...]}. They import nothing of
geobeta (but ours.py) nor of each other.
"""
