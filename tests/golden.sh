#!/bin/sh
# golden.sh - rewrites the expected outputs below tests/golden, and the pages made from the method rows, from what the program says
# now. Review the diff like code.
set -eu
cd "$(dirname "$0")/.."
for t in tests/cli/*.sh; do GOLDEN=write sh "$t" build/test/startbox >/dev/null || true; done
git diff --stat -- tests/golden docs/methods.md docs/methods.json man/start-cli.1 web/api.d.ts
