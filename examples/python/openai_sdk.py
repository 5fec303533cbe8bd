"""The official OpenAI SDK against llmrouter-server: only the base URL is other.

    python3 openai_sdk.py [MODEL]        OPENAI_BASE_URL (http://127.0.0.1:8000/v1), OPENAI_API_KEY (any, until a key exists)
"""
import os
import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "demo/echo"
client = OpenAI(base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"), api_key=os.environ.get("OPENAI_API_KEY", "none"))

answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Why is the sky blue?"}])
print(answer.choices[0].message.content)

stream = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "one word at a time"}], stream=True)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
