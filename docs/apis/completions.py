import openai

client = openai.OpenAI(base_url="http://127.0.0.1:9997/v1", api_key="none")
answer = client.completions.create(model="internvl2", prompt="One, two,", max_tokens=16)
print(answer.choices[0].text)
