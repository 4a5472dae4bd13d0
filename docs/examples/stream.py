stream = ask(image(uri("picture.jpg")), text("Describe the picture."), stream=True)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
