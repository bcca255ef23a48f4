#!/bin/sh
# Hosts that encrypt, with whole agents: `make test-guest GUEST=encrypt`.
exec "$(dirname "$0")/run.sh" encrypt
