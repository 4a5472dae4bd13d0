import base64

import openai

client = openai.OpenAI(base_url="http://127.0.0.1:9997/v1", api_key="none")
with open("picture.jpg", "rb") as file:
    data = base64.b64encode(file.read()).decode()
content = [
    {"type": "input_image", "image_url": f"data:image/jpeg;base64,{data}"},
    {"type": "input_text", "text": "What is this?"},
]
messages = [{"role": "user", "content": content}]
answer = client.responses.create(model="internvl2", input=messages)
print(answer.output_text)
