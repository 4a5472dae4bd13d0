question = "Please provide the bounding box of: <ref>the circle</ref>"
answer = ask(image(uri("picture.jpg")), text(question), extra_body={"boxes": True})
print(answer.choices[0].message.content)
for box in answer.choices[0].message.boxes:
    print(box["label"], box["picture"], box["pixels"])
print(len(answer.choices[0].message.boxes), "boxes")
