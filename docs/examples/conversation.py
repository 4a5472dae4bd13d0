question = [image(uri("picture.jpg")), text("What is in the picture?")]
answer = ask(*question).choices[0].message.content
history = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": question},
    {"role": "assistant", "content": answer},
    {"role": "user", "content": "And what is behind it?"},
]
answer = client.chat.completions.create(model="internvl2", messages=history)
print(answer.choices[0].message.content)
