"""old_store.py DIRECTORY: makes the store of store_v1.sql there, with its key and alice's password in files."""

import re
import sqlite3
import sys
from pathlib import Path

SQL = Path(__file__).resolve().parent / "store_v1.sql"


def make(directory):
    """turnpike.db, turnpike.db.key and alice.password in `directory`, which may be there already."""
    sql = SQL.read_text()
    directory.mkdir(mode=0o700, exist_ok=True)
    database = sqlite3.connect(directory / "turnpike.db")
    database.executescript(sql)
    database.close()
    key = re.search(r"^-- Sealed with the key (\S+)$", sql, re.MULTILINE).group(1)
    password = re.search(r"^-- alice's password: (.*);", sql, re.MULTILINE).group(1)
    for name, text in (("turnpike.db.key", key + "\n"), ("alice.password", password)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    (directory / "turnpike.db").chmod(0o600)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
