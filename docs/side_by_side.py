"""The first tokens of two launched models: side_by_side.py PICTURE QUESTION MODEL OTHER"""

import base64
import mimetypes
import sys

import openai

client = openai.OpenAI(base_url="http://127.0.0.1:9997/v1", api_key="none")
file, question, *models = sys.argv[1:]
with open(file, "rb") as data:
    encoded = base64.b64encode(data.read()).decode()
image = {"url": f"data:{mimetypes.guess_type(file)[0]};base64,{encoded}"}
parts = [{"type": "image_url", "image_url": image}, {"type": "text", "text": question}]


def tokens(model: str) -> list[str]:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": parts}],
        temperature=0,
        max_tokens=16,
        logprobs=True,
    )
    return [f"{x.logprob:8.3f} {x.token!r}" for x in answer.choices[0].logprobs.content]


for one, other in zip(*map(tokens, models), strict=False):
    print(f"{one:30} {other}")
