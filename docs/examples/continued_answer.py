question = [image(uri("picture.jpg")), text("Which colours are there?")]
messages = [
    {"role": "user", "content": question},
    {"role": "assistant", "content": "The colours are"},
]
answer = client.chat.completions.create(model="internvl2", messages=messages)
print("The colours are" + answer.choices[0].message.content)
