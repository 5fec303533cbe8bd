#!/bin/sh
# Whole answer, then a stream, from a running llmrouter-server.
#   chat.sh [MODEL]      LLMROUTER_URL (http://127.0.0.1:8000), LLMROUTER_KEY (any, until a key exists)
set -eu
model=${1:-demo/echo}
url=${LLMROUTER_URL:-http://127.0.0.1:8000}

ask() {
  curl --fail-with-body --silent --show-error --no-buffer "$url/v1/chat/completions" \
    -H "authorization: Bearer ${LLMROUTER_KEY:-none}" -H 'content-type: application/json' -d "$1"
}

ask "{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]}"
echo
ask "{\"model\":\"$model\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"one word at a time\"}]}"
