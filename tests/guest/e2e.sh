#!/bin/sh
# The end-to-end part alone: `make test-guest GUEST=e2e`. Emulated processors make it long.
exec "$(dirname "$0")/run.sh" e2e fields
