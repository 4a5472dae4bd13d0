from xinference.client import RESTfulClient

model = RESTfulClient("http://127.0.0.1:9997").get_model(model_uid="internvl2")
messages = [{"role": "user", "content": "Hi"}]
answer = model.chat(messages, generate_config={"max_tokens": 16})
print(answer["choices"][0]["message"]["content"])
