"""How fast the book's code is beside others': the tables that benchmarks/ measured and wrote.

Imports no torch.
"""

from pathlib import Path

import pandas as pd

from gpt_helpers.validation import check_choice

TABLES = Path(__file__).with_name("results") / "speed"


def recorded_speed(name):
    """Return the table that a program of benchmarks/ wrote, such as "generation".

    Raises ValueError for a name without a table.
    """
    check_choice("name", name, sorted(path.stem for path in TABLES.glob("*.csv")))
    return pd.read_csv(TABLES / f"{name}.csv")
