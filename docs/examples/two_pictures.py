pictures = [image(uri("picture.jpg")), image(uri("other.png"))]
answer = ask(*pictures, text("What is in image 2 that is not in image 1?"))
print(answer.choices[0].message.content)
