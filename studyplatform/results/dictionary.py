"""The data dictionary: what every column of every exported file means."""

from collections.abc import Iterator, Mapping, Sequence

from .columns import Column

HEADER = ["file", "column", "type", "meaning", "values"]


def rows(files: Mapping[str, Sequence[Column]]) -> Iterator[list[str]]:
    """Yield the dictionary's rows for file name -> columns."""
    for name, columns in files.items():
        for column in columns:
            yield [name, column.name, column.type, column.meaning, column.values]
