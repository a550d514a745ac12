"""`jq [-s] FILTER FILE` on a machine without jq: the same engine, through its Python bindings."""

import json
import sys
from pathlib import Path

import jq

*flags, program, path = sys.argv[1:]
if set(flags) - {"-s"}:
    sys.exit(f"jq: unknown flags {flags}")
text = Path(path).read_text(encoding="utf-8")
for value in jq.compile(program).input_text(text, slurp="-s" in flags):
    print(json.dumps(value, indent=2, ensure_ascii=False))
