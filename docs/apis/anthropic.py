import base64

import anthropic

client = anthropic.Anthropic(base_url="http://127.0.0.1:9997", api_key="none")
with open("picture.jpg", "rb") as file:
    data = base64.b64encode(file.read()).decode()
picture = {"type": "base64", "media_type": "image/jpeg", "data": data}
question = {"type": "text", "text": "What is this?"}
messages = [{"role": "user", "content": [{"type": "image", "source": picture}, question]}]

answer = client.messages.create(model="internvl2", max_tokens=64, messages=messages)
print(answer.content[0].text)
print(client.messages.count_tokens(model="internvl2", messages=messages).input_tokens)
