"""Chat, stream, keys and limits from Python, in process: no server, no compiler, no package to install.

    python3 chat.py [MODEL]

Needs bindings/python/llmrouter.py on PYTHONPATH, and libllmrouter-c installed or named by LLMROUTER_LIBRARY.
"""
import sys

import llmrouter

model = sys.argv[1] if len(sys.argv) > 1 else "demo/echo"

with llmrouter.Router(settings={"storage.keys": "memory:", "storage.usage": "memory:"}) as router:
    print(router.chat(model, "Why is the sky blue?"))

    for piece in router.stream(model, "one word at a time"):
        print(piece, end="", flush=True)
    print()

    key = router.keys.create({"name": "intern", "limits": {"requests": "1/min"}})["key"]
    print(router.chat(model, "With a key", key=key))
    try:
        router.chat(model, "And once more", key=key)
    except llmrouter.Error as refused:
        print(f"refused: {refused.code}, again in {refused.retry_after_ms} ms")

    for record in router.usage(limit=3)["data"]:
        print(record["status"], record["requested_model"], record["input_tokens"], record["output_tokens"])
