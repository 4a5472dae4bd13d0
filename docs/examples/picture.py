answer = ask(image(uri("picture.jpg")), text("What is in the picture?"))
print(answer.choices[0].message.content)
