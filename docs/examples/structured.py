import json

schema = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
answer = ask(
    image(uri("picture.jpg")),
    text("Which colour is it?"),
    response_format={"type": "json_schema", "json_schema": {"name": "it", "schema": schema}},
)
print(json.loads(answer.choices[0].message.content)["colour"])
