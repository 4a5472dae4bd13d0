import json

colour = {"name": "colour", "schema": {"enum": ["red", "green", "blue"]}}
answer = ask(
    image(uri("picture.jpg")),
    text("Which colour is it?"),
    response_format={"type": "json_schema", "json_schema": colour},
)
print(json.loads(answer.choices[0].message.content))
