import base64
import mimetypes

import openai

client = openai.OpenAI(base_url="http://127.0.0.1:9997/v1", api_key="none")


def uri(file: str) -> str:
    with open(file, "rb") as data:
        encoded = base64.b64encode(data.read()).decode()
    return f"data:{mimetypes.guess_type(file)[0]};base64,{encoded}"


def image(url: str, **options: str) -> dict:
    return {"type": "image_url", "image_url": {"url": url, **options}}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def ask(*content: dict, **options):
    messages = [{"role": "user", "content": list(content)}]
    return client.chat.completions.create(model="internvl2", messages=messages, **options)
