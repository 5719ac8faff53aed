"""Answers one SQL query with DuckDB, as JSON lines of its rows."""

import json
import sys

import duckdb

for row in duckdb.connect().execute(sys.stdin.read()).fetchall():
    print(json.dumps(row, default=str))
