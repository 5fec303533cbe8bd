#!/bin/sh
# Uses llmrouter as its users do: installs a build and builds, links and runs consumers against it. The last line is "N passed, M failed".
#   tests/consumer/run.sh BUILD [GROUP...]      see run.py
exec python3 "$(dirname "$0")/run.py" "$@"
