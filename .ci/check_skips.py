"""Fail if a test was skipped for a reason that is not listed.

Usage: check_skips.py JUNIT_XML ALLOWED, where ALLOWED holds one reason a line.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

report, allowed_file = map(Path, sys.argv[1:])
lines = allowed_file.read_text().splitlines()
allowed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
unlisted = [
    f"{case.get('classname')}::{case.get('name')}: {skipped.get('message')}"
    for case in ET.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it
    for skipped in case.findall("skipped")
    if (skipped.get("message") or "").strip() not in allowed
]
print("\n".join(unlisted) or "none")
sys.exit(bool(unlisted))
