"""A class for tables that directives make, by which ``manual.css`` lays them out."""


def with_class(table: str, name: str) -> str:
    """The Markdown table with the CSS class ``name``."""
    return f"```{{table}}\n:class: {name}\n\n{table}```\n"
